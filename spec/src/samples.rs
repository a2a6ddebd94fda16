//! Sample calls of every generated command as Rust text, for tests that run them on real servers.
//!
//! For each command there are the call with its required arguments alone, one for each alternative
//! that a required argument has, one for each option and each alternative of it, every two options
//! together, one with all options at once, and some with options drawn by lot. The calls are typed
//! ones, so that what a server accepts is what users can write. Only the values come from outside:
//! see [`Values`].

mod calls;
mod lot;
mod values;

use heck::ToSnakeCase;

use respec_codegen::model::Model;

pub use lot::Lot;
pub use values::{Values, glob};

/// Rust items that fill a catalogue with calls: one function for each command, another for the
/// calls of it that are drawn by lot, and lists of both, `COMMANDS` and `DRAWN`.
///
/// The text expects `cmd` and `commands` of the client, `Filling` and `Need` in scope. Every text
/// passes through `Filling::text`, with the place in the command that it is for, so that others can
/// stand there.
///
/// ```text
/// fn string_set(to: &mut Filling) {
///     to.add("minimal", &[], cmd::set(to.text("key", "string:1"), to.text("value", "value1")));
///     …
/// }
/// ```
#[must_use]
pub fn render(model: &Model, values: &Values, lot: &Lot) -> String {
    let mut out = String::new();
    let mut all = Vec::new();
    let mut drawn = Vec::new();
    for (group_name, group) in &model.groups {
        for command in &group.commands {
            let calls = calls::of(command, group_name, model, values, lot);
            let name = format!("{}_{}", group_name.to_snake_case(), command.method);
            if calls.ordered.is_empty() {
                continue;
            }
            out.push_str(&function(&name, &calls.ordered));
            all.push(name.clone());
            if !calls.drawn.is_empty() {
                let name = format!("{name}_drawn");
                out.push_str(&function(&name, &calls.drawn));
                drawn.push(name);
            }
        }
    }
    out.push_str(&list("COMMANDS", &all));
    out.push_str(&list("DRAWN", &drawn));
    out
}

/// ```text
/// fn string_get(to: &mut Filling) {
///     to.add("minimal", &[], cmd::get(to.text("key", "string:1")));
/// }
/// ```
fn function(name: &str, calls: &[calls::Call]) -> String {
    let mut out = format!("fn {name}(to: &mut Filling) {{\n");
    for call in calls {
        let needs: Vec<_> = call.needs.iter().map(calls::Need::text).collect();
        out.push_str(&format!(
            "    to.add({:?}, &[{}], {});\n",
            call.label,
            needs.join(", "),
            call.text
        ));
    }
    out.push_str("}\n\n");
    out
}

/// `const COMMANDS: &[fn(&mut Filling)] = &[string_get, …];`
fn list(name: &str, functions: &[String]) -> String {
    format!(
        "const {name}: &[fn(&mut Filling)] = &[\n    {},\n];\n",
        functions.join(",\n    ")
    )
}
