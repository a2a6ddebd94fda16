//! Which options need a newer server than their command, or one of a single family.

use std::collections::BTreeSet;

use crate::spec::{Command, Provider};

use super::{
    BlockOption, CommandModel, EnumModel, FieldKind, Note, OptKind, Ty, Types, lower::note,
};

/// A step that finds out what a call needs besides its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeedStep {
    /// An argument that was optional once, and is always given.
    Always(Need),
    /// An option was given.
    Given {
        /// The field that tells.
        field: String,
        /// Whether the field is a flag, and not an `Option`.
        flag: bool,
        /// What is needed then.
        need: Need,
    },
    /// One of these alternatives was chosen.
    Chosen {
        /// The field, an `Option` of the enum.
        field: String,
        /// The enum.
        name: String,
        /// The alternatives, and what they need.
        arms: Vec<Arm>,
    },
    /// A value has needs of its own.
    Within {
        /// The field that keeps it.
        field: String,
        /// The enum or block that it is, or that its elements are.
        name: String,
        /// How many values an `Option` keeps, and which of them it is; none for a required one.
        part: Option<(usize, usize)>,
        /// Whether the value is a list of such.
        list: bool,
    },
}

/// What an option needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its syntax.
    pub what: String,
    /// First version that has it.
    pub since: Option<String>,
    /// Who alone has it.
    pub provider: Option<Provider>,
}

/// An alternative of an enum that needs something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// The variant.
    pub variant: String,
    /// How many values it holds.
    pub fields: usize,
    /// What is needed for it.
    pub need: Need,
}

impl Need {
    fn of(what: &str, since: Option<&String>, provider: Option<Provider>) -> Option<Self> {
        (since.is_some() || provider.is_some()).then(|| Self {
            what: what.to_owned(),
            since: since.cloned(),
            provider,
        })
    }

    fn noted(note: &Note, name: &str) -> Option<Self> {
        // Where there are many alternatives, their setter's name says more.
        let what = if note.syntax.len() <= LONGEST {
            &note.syntax
        } else {
            name
        };
        Self::of(what, note.since.as_ref(), note.provider)
    }
}

/// What a method needs because of the alternative that it stands for.
fn chosen(model: &CommandModel, command: &Command) -> Option<Need> {
    let need = Need::noted(model.note.as_ref()?, &model.method)?;
    (need.provider.is_some() || need.since != command.since).then_some(need)
}

/// The steps of a command.
pub(super) fn steps(model: &CommandModel, command: &Command, types: &Types) -> Vec<NeedStep> {
    let needy = needy(types);
    let required = command
        .arguments
        .iter()
        .filter(|argument| !argument.optional);
    let mut steps: Vec<_> = required
        .filter(|argument| argument.provider.is_some() || argument.since != command.since)
        .filter_map(|argument| Need::noted(&note(argument), &argument.name))
        .chain(chosen(model, command))
        .map(NeedStep::Always)
        .collect();
    for field in &model.fields {
        let option = model
            .options
            .iter()
            .find(|option| option.field == field.name);
        let need = option.and_then(|option| Need::noted(&option.note, &field.name));
        // What came with the command says nothing new.
        let need = need.filter(|need| need.provider.is_some() || need.since != command.since);
        steps.extend(need.map(|need| NeedStep::Given {
            field: field.name.clone(),
            flag: matches!(field.kind, FieldKind::Flag),
            need,
        }));
        if let Some(OptKind::Choice {
            name, alternatives, ..
        }) = option.map(|option| &option.kind)
            && !alternatives.is_empty()
            && !types.enums[name].holds(&needy)
        {
            let arms = alternatives.iter().filter_map(|alternative| {
                Some(Arm {
                    variant: alternative.variant.clone(),
                    fields: alternative.parameters.len(),
                    need: Need::noted(&alternative.note, &alternative.setter)?,
                })
            });
            let arms: Vec<_> = arms.collect();
            if !arms.is_empty() {
                steps.push(NeedStep::Chosen {
                    field: field.name.clone(),
                    name: name.clone(),
                    arms,
                });
            }
            continue;
        }
        let (values, optional): (&[Ty], bool) = match &field.kind {
            FieldKind::Required(ty) => (std::slice::from_ref(ty), false),
            FieldKind::Flag => (&[], false),
            FieldKind::Optional(types) => (types, true),
        };
        for (at, ty) in values.iter().enumerate() {
            if let Some(name) = ty.named().filter(|name| needy.contains(*name)) {
                steps.push(NeedStep::Within {
                    field: field.name.clone(),
                    name: name.to_owned(),
                    part: optional.then_some((values.len(), at)),
                    list: matches!(ty, Ty::List(_)),
                });
            }
        }
    }
    steps
}

/// The enums and blocks that commands ask what they need, and those that these ask in turn.
pub(super) fn asked<'m>(
    models: impl Iterator<Item = &'m CommandModel>,
    types: &Types,
) -> BTreeSet<String> {
    let needy = needy(types);
    let mut asked = BTreeSet::new();
    let mut open: Vec<String> = models
        .flat_map(|model| &model.needs)
        .filter_map(|step| match step {
            NeedStep::Within { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect();
    while let Some(name) = open.pop() {
        if asked.contains(&name) {
            continue;
        }
        let fields = types.enums.get(&name).into_iter().flat_map(|item| {
            let fields = item.variants.iter().flat_map(|variant| &variant.fields);
            fields.map(|(_, ty)| ty)
        });
        let parts = types.blocks.get(&name).into_iter().flat_map(|item| {
            let required = item.required.iter().map(|(_, ty)| ty);
            required.chain(item.optional_types())
        });
        let held = fields.chain(parts).filter_map(Ty::named);
        open.extend(held.filter(|held| needy.contains(*held)).map(str::to_owned));
        asked.insert(name);
    }
    asked
}

/// The enums and blocks that need something, or hold what does.
fn needy(types: &Types) -> BTreeSet<String> {
    let mut needy: BTreeSet<String> = types
        .enums
        .values()
        .filter(|item| !item.arms().is_empty())
        .map(|item| item.name.clone())
        .collect();
    let with_newer_options = types
        .blocks
        .values()
        .filter(|item| item.optional.iter().any(|option| option.need().is_some()));
    needy.extend(with_newer_options.map(|item| item.name.clone()));
    loop {
        let before = needy.len();
        let enums = types.enums.values().filter(|item| item.holds(&needy));
        let blocks = types.blocks.values().filter(|item| {
            let required = item.required.iter().map(|(_, ty)| ty);
            let mut all = required.chain(item.optional_types());
            all.any(|ty| ty.named().is_some_and(|name| needy.contains(name)))
        });
        let found: Vec<_> = enums
            .map(|item| item.name.clone())
            .chain(blocks.map(|item| item.name.clone()))
            .collect();
        needy.extend(found);
        if needy.len() == before {
            return needy;
        }
    }
}

/// The syntax of an option that is not longer stands for it in errors.
const LONGEST: usize = 60;

impl BlockOption {
    /// What it needs of a server.
    #[must_use]
    pub fn need(&self) -> Option<Need> {
        Need::noted(&self.note, &self.name)
    }
}

impl EnumModel {
    /// The alternatives that need something.
    #[must_use]
    pub fn arms(&self) -> Vec<Arm> {
        let arms = self.variants.iter().filter_map(|variant| {
            Some(Arm {
                variant: variant.name.clone(),
                fields: variant.fields.len(),
                need: Need::noted(&variant.note, &variant.constructor)?,
            })
        });
        arms.collect()
    }

    /// Whether an alternative holds one of these types.
    fn holds(&self, names: &BTreeSet<String>) -> bool {
        self.variants.iter().any(|variant| {
            let mut types = variant.fields.iter().map(|(_, ty)| ty);
            types.any(|ty| ty.named().is_some_and(|name| names.contains(name)))
        })
    }
}

impl Ty {
    /// The enum or block that this is, or is a list of.
    #[must_use]
    pub fn named(&self) -> Option<&str> {
        match self {
            Self::Enum { name, .. } | Self::Block { name, .. } => Some(name),
            Self::List(item) => item.named(),
            _ => None,
        }
    }
}
