//! Sample calls of every generated command as Rust text, for tests that run them on real servers.
//!
//! For each command there are the call with its required arguments alone, one for each alternative
//! that a required argument has, one for each option and each alternative of it, and one with all
//! options at once. The calls are typed ones, so that what a server accepts is what users can write.
//! Only the values come from outside: see [`Values`].

mod calls;
mod values;

use heck::ToSnakeCase;

use crate::model::Model;

pub use values::{Values, glob};

/// Rust items that fill a catalogue with calls: one function for each command, and `fill`, which
/// runs them all.
///
/// The text expects `cmd` and `commands` of the client, `Catalogue` and `Need` in scope.
///
/// ```text
/// fn string_set(to: &mut Catalogue) {
///     to.add("minimal", &[], cmd::set("string:1", "value"));
///     to.add("nx", &[], cmd::set("string:1", "value").nx());
/// }
/// ```
#[must_use]
pub fn render(model: &Model, values: &Values) -> String {
    let mut out = String::new();
    let mut names = Vec::new();
    for (group_name, group) in &model.groups {
        for command in &group.commands {
            let function = format!(
                "{}_{}",
                group_name.to_snake_case(),
                command.method.trim_start_matches("r#")
            );
            out.push_str(&format!("fn {function}(to: &mut Catalogue) {{\n"));
            for call in calls::of(command, group_name, model, values) {
                out.push_str(&format!(
                    "    to.add({:?}, &[{}], {});\n",
                    call.label,
                    call.needs
                        .iter()
                        .map(calls::Need::text)
                        .collect::<Vec<_>>()
                        .join(", "),
                    call.text
                ));
            }
            out.push_str("}\n\n");
            names.push(function);
        }
    }
    out.push_str("fn fill(to: &mut Catalogue) {\n");
    for name in names {
        out.push_str(&format!("    {name}(to);\n"));
    }
    out.push_str("}\n");
    out
}
