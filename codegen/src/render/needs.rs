//! What a call needs of a server, found out from the options that were given.

use std::collections::BTreeSet;

use crate::{
    model::{Arm, BlockModel, EnumModel, Need, NeedStep, Ty},
    spec::Provider,
};

use super::text::Text;

/// ```text
/// if self.get {
///     needs.add("GET", Some("6.2.0"), None);
/// }
/// if let Some(SetCondition::Ifeq(..)) = &self.condition {
///     needs.add("IFEQ ifeq-value", Some("8.4.0"), None);
/// }
/// self.operation.needs(&mut needs);
/// ```
pub(super) fn step(out: &mut Text, step: &NeedStep) {
    match step {
        NeedStep::Always(need) => add(out, need),
        NeedStep::Given { field, flag, need } => {
            let condition = if *flag { "" } else { ".is_some()" };
            out.braces(&format!("if self.{field}{condition}"), |out| add(out, need));
        }
        NeedStep::Chosen { field, name, arms } => {
            let patterns: Vec<_> = arms
                .iter()
                .map(|arm| (format!("Some({name}::{})", arm.pattern), &arm.need))
                .collect();
            choose(out, &format!("&self.{field}"), &patterns, false);
        }
        NeedStep::Within {
            field, part, list, ..
        } => {
            let name = field.trim_start_matches("r#");
            let Some((count, at)) = part else {
                within(out, &format!("self.{field}"), *list, "&mut needs");
                return;
            };
            let mut names = vec!["_"; *count];
            if let Some(place) = names.get_mut(*at) {
                *place = name;
            }
            let pattern = match &*names {
                [one] => (*one).to_owned(),
                several => format!("({})", several.join(", ")),
            };
            out.braces(&format!("if let Some({pattern}) = &self.{field}"), |out| {
                within(out, name, *list, "&mut needs");
            });
        }
    }
}

/// ```text
/// /// Adds what a server needs for it.
/// pub fn needs(&self, needs: &mut Needs) {
///     match self {
///         Self::Diff => needs.add("DIFF", Some("8.2.0"), Some(Provider::Redis)),
///         _ => {}
///     }
/// }
/// ```
pub(super) fn of_enum(out: &mut Text, item: &EnumModel, needy: &BTreeSet<String>) {
    function(out, |out| {
        let arms = item.arms();
        let patterns: Vec<_> = arms
            .iter()
            .map(|Arm { pattern, need }| (format!("Self::{pattern}"), need))
            .collect();
        if !patterns.is_empty() {
            choose(
                out,
                "self",
                &patterns,
                patterns.len() == item.variants.len(),
            );
        }
        for variant in &item.variants {
            let parts: Vec<_> = variant
                .fields
                .iter()
                .filter(|(_, ty)| is_needy(ty, needy))
                .collect();
            let [(name, ty)] = &*parts else { continue };
            let pattern = match &*variant.fields {
                [_] => format!("Self::{}({name})", variant.name),
                _ => format!("Self::{} {{ {name}, .. }}", variant.name),
            };
            out.braces(&format!("if let {pattern} = self"), |out| {
                within(out, name, matches!(ty, Ty::List(_)), "needs");
            });
        }
    });
}

/// The same of a block, for each of its parts that needs something.
pub(super) fn of_block(out: &mut Text, item: &BlockModel, needy: &BTreeSet<String>) {
    function(out, |out| {
        for (name, ty) in item.required.iter().filter(|(_, ty)| is_needy(ty, needy)) {
            let list = matches!(ty, Ty::List(_));
            within(out, &format!("self.{name}"), list, "needs");
        }
        for (name, ty, _) in &item.optional {
            if let Some(ty) = ty.as_ref().filter(|ty| is_needy(ty, needy)) {
                out.braces(&format!("if let Some({name}) = &self.{name}"), |out| {
                    within(out, name, matches!(ty, Ty::List(_)), "needs");
                });
            }
        }
    });
}

fn function(out: &mut Text, body: impl FnOnce(&mut Text)) {
    out.doc("Adds what a server needs for it.");
    let parameters = ["&self".to_owned(), "needs: &mut Needs".to_owned()];
    out.function("pub fn needs", &[], &parameters, "", body);
}

fn is_needy(ty: &Ty, needy: &BTreeSet<String>) -> bool {
    ty.named().is_some_and(|name| needy.contains(name))
}

/// `place.needs(needs);`, or that of each element.
fn within(out: &mut Text, place: &str, list: bool, needs: &str) {
    if !list {
        out.line(&format!("{place}.needs({needs});"));
        return;
    }
    let list = if place.starts_with("self.") { "&" } else { "" };
    out.braces(&format!("for item in {list}{place}"), |out| {
        out.line(&format!("item.needs({needs});"));
    });
}

/// A `match` with what each pattern needs, or an `if let` where there is only one.
fn choose(out: &mut Text, value: &str, patterns: &[(String, &Need)], all: bool) {
    if let ([(pattern, need)], false) = (patterns, all) {
        out.braces(&format!("if let {pattern} = {value}"), |out| add(out, need));
        return;
    }
    out.braces(&format!("match {value}"), |out| {
        for (pattern, need) in patterns {
            let line = format!("{pattern} => {},", call(need));
            if out.fits(&line) && is_short(need) {
                out.line(&line);
            } else {
                out.braces(&format!("{pattern} =>"), |out| add(out, need));
            }
        }
        if !all {
            out.line("_ => {}");
        }
    });
}

fn add(out: &mut Text, need: &Need) {
    let line = format!("{};", call(need));
    if out.fits(&line) && is_short(need) {
        out.line(&line);
        return;
    }
    out.wrapped("needs.add(", &arguments(need), ");");
}

/// Whether rustfmt leaves the arguments on one line.
fn is_short(need: &Need) -> bool {
    arguments(need).join(", ").chars().count() <= 60
}

fn call(need: &Need) -> String {
    format!("needs.add({})", arguments(need).join(", "))
}

fn arguments(need: &Need) -> [String; 3] {
    let provider = match need.provider {
        Some(Provider::Redis) => "Some(Provider::Redis)",
        Some(Provider::Valkey) => "Some(Provider::Valkey)",
        None => "None",
    };
    [
        format!("{:?}", need.what),
        format!("{:?}", need.since),
        provider.to_owned(),
    ]
}
