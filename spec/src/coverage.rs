//! What of the spec is generated, written by hand and left out, and how much of it has types.

use std::{collections::BTreeMap, fmt};

use respec_codegen::{
    load::Spec,
    model::{Model, feature},
    spec::Skip,
};

/// The counts of a spec.
#[derive(Debug)]
pub struct Coverage {
    groups: BTreeMap<String, Counts>,
    handwritten: Vec<(String, String)>,
    dynamic: Vec<(String, String)>,
    /// Fields of structs that can hold anything.
    dynamic_fields: Vec<(String, String)>,
    /// Entries without a line in the file of replies.
    undescribed: Vec<String>,
    skipped: BTreeMap<Skip, Vec<String>>,
    missing: Vec<String>,
}

/// The counts of one group.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    entries: usize,
    generated: usize,
    handwritten: usize,
    typed_arguments: usize,
    typed_replies: usize,
    dynamic_replies: usize,
}

impl Coverage {
    /// Counts a spec and what became of it.
    #[must_use]
    pub fn of(spec: &Spec, model: &Model) -> Self {
        let generated: Vec<&str> = model
            .groups
            .values()
            .flat_map(|group| group.commands.iter().map(|command| command.name.as_str()))
            .collect();
        let mut coverage = Self {
            groups: BTreeMap::new(),
            handwritten: Vec::new(),
            dynamic: Vec::new(),
            dynamic_fields: Vec::new(),
            undescribed: Vec::new(),
            skipped: BTreeMap::new(),
            missing: Vec::new(),
        };
        for (name, command) in &spec.commands {
            let counts = coverage.groups.entry(feature(command)).or_default();
            counts.entries += 1;
            if let Some(reason) = &command.handwritten {
                counts.handwritten += 1;
                coverage.handwritten.push((name.clone(), reason.clone()));
            } else if generated.contains(&name.as_str()) {
                counts.generated += 1;
            } else {
                coverage.missing.push(name.clone());
            }
            // Without a grammar, what may follow the name is known only where nothing may.
            let words = i64::try_from(name.split(' ').count()).unwrap_or(i64::MAX);
            if !command.arguments.is_empty()
                || command.arity == words
                || command.handwritten.is_some()
            {
                counts.typed_arguments += 1;
            }
            match spec.replies.get(name) {
                Some(reply) if reply.is_typed() => counts.typed_replies += 1,
                Some(reply) => {
                    counts.dynamic_replies += 1;
                    let reason = reply.note.clone().unwrap_or_default();
                    coverage.dynamic.push((name.clone(), reason));
                }
                None => coverage.undescribed.push(name.clone()),
            }
        }
        for (name, item) in &spec.structs {
            let fields = item.fields.iter();
            let dynamic = fields.filter(|field| field.parsed().is_ok_and(|ty| ty.is_dynamic()));
            coverage
                .dynamic_fields
                .extend(dynamic.map(|field| (format!("{name}.{}", field.name), field.doc.clone())));
        }
        for (name, reason) in &spec.skipped {
            coverage
                .skipped
                .entry(*reason)
                .or_default()
                .push(name.clone());
        }
        coverage
    }

    /// Entries that are neither generated nor written by hand.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:>7} {:>9} {:>7} {:>9} {:>7} {:>7}",
            "group", "entries", "generated", "by hand", "arguments", "replies", "dynamic"
        )?;
        let mut sum = Counts::default();
        for (name, counts) in &self.groups {
            row(f, name, *counts)?;
            sum.entries += counts.entries;
            sum.generated += counts.generated;
            sum.handwritten += counts.handwritten;
            sum.typed_arguments += counts.typed_arguments;
            sum.typed_replies += counts.typed_replies;
            sum.dynamic_replies += counts.dynamic_replies;
        }
        row(f, "all", sum)?;
        writeln!(
            f,
            "\narguments, replies: entries whose arguments and whose reply have types\n\
             dynamic: entries whose reply is known only when it arrives, always or with an option"
        )?;
        writeln!(
            f,
            "\nreplies: {} of {} have a type, {} are dynamic by nature, {} are not described",
            sum.typed_replies,
            sum.entries,
            sum.dynamic_replies,
            self.undescribed.len()
        )?;
        for name in &self.undescribed {
            writeln!(f, "  {name}: no line in the file of replies")?;
        }
        list(f, "by hand", &self.handwritten)?;
        list(f, "a `Value` in the reply", &self.dynamic)?;
        list(f, "a `Value` in a field of a struct", &self.dynamic_fields)?;
        for (reason, names) in &self.skipped {
            let what = match reason {
                Skip::Container => "skipped, cannot be called: containers of subcommands",
                Skip::Internal => "skipped, internal: between servers, or for their tests",
                Skip::Silent => "skipped, internal: between servers, and not always answered",
                Skip::Undocumented => "skipped, internal: no documentation and often no grammar",
            };
            writeln!(f, "\n{what} ({})\n  {}", names.len(), names.join(", "))?;
        }
        if self.missing.is_empty() {
            return writeln!(f, "\nunaccounted for: none");
        }
        writeln!(
            f,
            "\nunaccounted for ({})\n  {}",
            self.missing.len(),
            self.missing.join(", ")
        )
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, counts: Counts) -> fmt::Result {
    writeln!(
        f,
        "{name:<14} {:>7} {:>9} {:>7} {:>9} {:>7} {:>7}",
        counts.entries,
        counts.generated,
        counts.handwritten,
        counts.typed_arguments,
        counts.typed_replies,
        counts.dynamic_replies
    )
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, items: &[(String, String)]) -> fmt::Result {
    writeln!(f, "\n{what} ({})", items.len())?;
    for (name, reason) in items {
        writeln!(f, "  {name}: {reason}")?;
    }
    Ok(())
}
