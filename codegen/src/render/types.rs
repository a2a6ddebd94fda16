//! Rust types of values, and the enums and blocks of arguments.

use crate::{
    model::{BlockModel, EnumModel, ListStep, Model, Step, Ty, VariantModel},
    replies::Type,
    spec::{Count, Provider},
};

use super::{
    Root,
    text::{Imports, Text, short},
};

/// The type of a field: `Arg<'a>`, `List<Arg<'a>>`, `SetCondition<'a>`.
pub(super) fn field(ty: &Ty) -> String {
    match ty {
        Ty::Key | Ty::Text => "Arg<'a>".to_owned(),
        Ty::Enum { name, borrows, .. } | Ty::Block { name, borrows } => {
            if *borrows {
                format!("{name}<'a>")
            } else {
                name.clone()
            }
        }
        Ty::List(item) => match **item {
            Ty::Double => "List<DoubleArg>".to_owned(),
            ref item if item.is_scalar() && !item.borrows() => "List<IntegerArg>".to_owned(),
            ref item => format!("List<{}>", field(item)),
        },
        _ => "Arg<'static>".to_owned(),
    }
}

/// The type of a parameter: `impl Into<Arg<'a>>`, `impl Integer`, `impl IntoList<Arg<'a>, M>`.
///
/// `markers` collects the type parameters that lists need.
pub(super) fn parameter(ty: &Ty, markers: &mut Vec<String>) -> String {
    match ty {
        Ty::Key | Ty::Text => "impl Into<Arg<'a>>".to_owned(),
        Ty::Enum { open: false, .. } => field(ty),
        Ty::Enum { .. } | Ty::Block { .. } => format!("impl Into<{}>", field(ty)),
        Ty::List(_) => {
            let marker = ["M", "N", "O", "P"]
                .get(markers.len())
                .copied()
                .unwrap_or("Q");
            markers.push(marker.to_owned());
            let list = field(ty);
            let item = list
                .strip_prefix("List<")
                .and_then(|text| text.strip_suffix('>'));
            format!("impl IntoList<{}, {marker}>", item.unwrap_or(&list))
        }
        number => format!("impl {}", bound(number)),
    }
}

/// The trait of a number.
fn bound(ty: &Ty) -> &'static str {
    match ty {
        Ty::Double => "Double",
        Ty::Seconds => "Seconds",
        Ty::Milliseconds => "Milliseconds",
        Ty::UnixSeconds => "UnixSeconds",
        Ty::UnixMilliseconds => "UnixMilliseconds",
        _ => "Integer",
    }
}

/// How a parameter becomes a field: `key.into()`.
pub(super) fn conversion(name: &str, ty: &Ty) -> String {
    match ty {
        Ty::Key | Ty::Text | Ty::Enum { open: true, .. } | Ty::Block { .. } => {
            format!("{name}.into()")
        }
        Ty::Enum { .. } => name.to_owned(),
        Ty::List(_) => format!("{name}.into_list()"),
        _ => format!("{name}.into_arg()"),
    }
}

/// `name: value`, or the short form where both are the same.
pub(super) fn assign(name: &str, value: &str) -> String {
    if name == value {
        name.to_owned()
    } else {
        format!("{name}: {value}")
    }
}

/// A byte string literal.
pub(super) fn bytes(word: &str) -> String {
    format!("b\"{}\"", word.escape_default())
}

/// The type of a reply.
pub(super) fn reply(ty: &Type) -> String {
    let inner = |ty: &Type| reply(ty);
    match ty {
        Type::Ok | Type::None => "()".to_owned(),
        Type::Status | Type::Text => "String".to_owned(),
        Type::Int => "i64".to_owned(),
        Type::Count => "u64".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Double => "f64".to_owned(),
        Type::Bulk => "Bytes".to_owned(),
        Type::Optional(ty) if **ty == Type::Ok => "bool".to_owned(),
        Type::Optional(ty) => format!("Option<{}>", inner(ty)),
        Type::List(ty) => format!("Vec<{}>", inner(ty)),
        Type::Set(ty) => format!("HashSet<{}>", inner(ty)),
        Type::Map(key, value) => format!("HashMap<{}, {}>", inner(key), inner(value)),
        Type::Pairs(key, value) => format!("Vec<({}, {})>", inner(key), inner(value)),
        Type::Tuple(types) => {
            format!(
                "({})",
                types.iter().map(inner).collect::<Vec<_>>().join(", ")
            )
        }
        Type::Scan(ty) => format!("ScanPage<{}>", inner(ty)),
        Type::Entries => "Vec<StreamEntry>".to_owned(),
        Type::Streams => "Vec<(Bytes, Vec<StreamEntry>)>".to_owned(),
        Type::Scored => "Vec<(Bytes, f64)>".to_owned(),
        Type::OneOrList(ty) => format!("OneOrMany<{}>", inner(ty)),
        Type::OrError(ty) => format!("Result<{}, Error>", inner(ty)),
        Type::Named(name) => format!("reply::{name}"),
        Type::Any | Type::Push => "Value".to_owned(),
    }
}

/// How a reply is read: `Decode::decode(reply)`, or the special case of "`OK` or nil".
pub(super) fn read(ty: &Type) -> &'static str {
    match ty {
        Type::Optional(inner) if **inner == Type::Ok => "reply::ok_or_nil(reply)",
        _ => "Decode::decode(reply)",
    }
}

/// The steps that write a command, an alternative or a block.
pub(super) fn steps(out: &mut Text, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Words(words) => {
                for word in words {
                    out.line(&format!("to.word({});", bytes(word)));
                }
            }
            Step::Value(place, ty) => value(out, place, ty),
            Step::Flag(field, words) => out.braces(&format!("if self.{field}"), |out| {
                for word in words {
                    out.line(&format!("to.word({});", bytes(word)));
                }
            }),
            Step::Count(flags) => {
                let counts: Vec<_> = flags
                    .iter()
                    .map(|flag| format!("u64::from(self.{flag})"))
                    .collect();
                out.line(&format!("to.unsigned({});", counts.join(" + ")));
            }
            Step::When(condition, inner) => {
                out.braces(&format!("if {condition}"), |out| self::steps(out, inner));
            }
            Step::Optional(field, binds, inner) => {
                let pattern = match &**binds {
                    [one] => one.clone(),
                    several => format!("({})", several.join(", ")),
                };
                out.braces(&format!("if let Some({pattern}) = &self.{field}"), |out| {
                    self::steps(out, inner);
                });
            }
            Step::List(list) => list_step(out, list),
        }
    }
}

/// The method that writes a value of the type.
fn writer(ty: &Ty) -> &'static str {
    match ty {
        Ty::Key => "write_key",
        // `write` may be the name of an alternative.
        Ty::Enum { .. } | Ty::Block { .. } => "write_words",
        _ => "write",
    }
}

/// `self.key.write_key(to);`
fn value(out: &mut Text, place: &str, ty: &Ty) {
    out.line(&format!("{place}.{}(to);", writer(ty)));
}

/// ```text
/// self.keys.require("key", to);
/// to.unsigned(self.keys.len() as u64);
/// for item in &self.keys {
///     item.write_key(to);
/// }
/// ```
fn list_step(out: &mut Text, list: &ListStep) {
    let place = list.list.trim_start_matches('&');
    if !list.may_be_empty {
        out.line(&format!("{place}.require(\"{}\", to);", list.noun));
    }
    let mut before = list.before.iter();
    for word in before.by_ref() {
        out.line(&format!("to.word({});", bytes(word)));
    }
    match list.count {
        Some(Count::Items) => out.line(&format!("to.unsigned({place}.len() as u64);")),
        Some(Count::Words) => {
            let width = list.columns.len().max(1);
            out.line(&format!("to.unsigned({place}.len() as u64 * {width});"));
        }
        _ => {}
    }
    if list.columns.is_empty() {
        out.braces(&format!("for item in {}", list.list), |out| {
            for word in &list.before_each {
                out.line(&format!("to.word({});", bytes(word)));
            }
            value(out, "item", &list.item);
        });
    }
    for (name, ty) in &list.columns {
        out.braces(&format!("for item in {}", list.list), |out| {
            value(out, &format!("item.{name}"), ty);
        });
    }
}

/// ```text
/// /// `NX | XX | IFEQ ifeq-value`, of [`Set`].
/// #[derive(Clone, Debug, PartialEq)]
/// #[non_exhaustive]
/// pub enum SetCondition<'a> {
///     /// `NX`
///     Nx,
///     /// `IFEQ ifeq-value`
///     Ifeq(Arg<'a>),
/// }
/// ```
pub(super) fn enumeration(out: &mut Text, item: &EnumModel) {
    let name = with_lifetime(&item.name, item.borrows());
    let pure = item
        .variants
        .iter()
        .all(|variant| variant.fields.is_empty());
    out.doc(&match &item.doc {
        Some(doc) => format!("{doc}\n\nAn argument of {}.", users(&item.commands)),
        None => format!(
            "One of the alternatives that {} takes.",
            users(&item.commands)
        ),
    });
    out.line(if pure {
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]"
    } else {
        "#[derive(Clone, Debug)]"
    });
    out.line("#[non_exhaustive]");
    out.braces(&format!("pub enum {name}"), |out| {
        for variant in &item.variants {
            out.doc(&said(
                &variant.syntax,
                variant.since.as_deref(),
                variant.provider,
            ));
            match &*variant.fields {
                [] => out.line(&format!("{},", variant.name)),
                [(_, ty)] => out.line(&format!("{}({}),", variant.name, field(ty))),
                fields => {
                    out.line(&format!("{} {{", variant.name));
                    for (name, ty) in fields {
                        out.line(&format!("    /// The `{}`.", name.trim_start_matches("r#")));
                        out.line(&format!("    {name}: {},", field(ty)));
                    }
                    out.line("},");
                }
            }
        }
    });
    out.line("");
    let head = if item.borrows() { "impl<'a>" } else { "impl" };
    out.braces(&format!("{head} {name}"), |out| {
        for variant in item
            .variants
            .iter()
            .filter(|variant| !variant.fields.is_empty())
        {
            variant_constructor(out, variant);
        }
        out.doc("Writes the words that are sent for it.");
        out.function(
            "pub fn write_words",
            &[],
            &["&self".to_owned(), "to: &mut Writer<'_>".to_owned()],
            "",
            |out| {
                out.braces("match self", |out| {
                    for variant in &item.variants {
                        arm(out, variant);
                    }
                })
            },
        );
    });
    out.line("");
    out.line(&format!(
        "impl Item for {} {{}}",
        anonymous(&item.name, item.borrows())
    ));
    out.line("");
    if let Some(open) = item.open() {
        let (field_name, ty) = &open.fields[0];
        let bound = match ty {
            Ty::Key | Ty::Text => "Into<Arg<'a>>".to_owned(),
            number => bound(number).to_owned(),
        };
        let generics = if item.borrows() { "'a, T" } else { "T" };
        out.braces(
            &format!("impl<{generics}: {bound}> From<T> for {name}"),
            |out| {
                out.function(
                    "fn from",
                    &[],
                    &[format!("{field_name}: T")],
                    "Self",
                    |out| {
                        out.line(&format!(
                            "Self::{}({})",
                            open.name,
                            conversion(field_name, ty)
                        ));
                    },
                );
            },
        );
        out.line("");
    }
}

/// ```text
/// /// `IFEQ ifeq-value`
/// pub fn ifeq(ifeq_value: impl Into<Arg<'a>>) -> Self {
///     Self::Ifeq(ifeq_value.into())
/// }
/// ```
fn variant_constructor(out: &mut Text, variant: &VariantModel) {
    let mut markers = Vec::new();
    let parameters: Vec<_> = variant
        .fields
        .iter()
        .map(|(name, ty)| format!("{name}: {}", parameter(ty, &mut markers)))
        .collect();
    out.doc(&said(
        &variant.syntax,
        variant.since.as_deref(),
        variant.provider,
    ));
    out.line("#[must_use]");
    let head = format!("pub fn {}", variant.constructor);
    out.function(
        &head,
        &markers,
        &parameters,
        "Self",
        |out| match &*variant.fields {
            [(name, ty)] => out.line(&format!("Self::{}({})", variant.name, conversion(name, ty))),
            fields => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, ty)| assign(name, &conversion(name, ty)))
                    .collect();
                out.literal(&format!("Self::{}", variant.name), &fields);
            }
        },
    );
    out.line("");
}

/// `Self::Nx => to.word(b"NX"),` or a block of several steps.
fn arm(out: &mut Text, variant: &VariantModel) {
    let pattern = match &*variant.fields {
        [] => format!("Self::{}", variant.name),
        [(name, _)] => format!("Self::{}({name})", variant.name),
        fields => {
            let names: Vec<_> = fields.iter().map(|(name, _)| name.clone()).collect();
            let head = format!("Self::{} {{", variant.name);
            if short(&names) {
                format!("{head} {} }}", names.join(", "))
            } else {
                out.wrapped(&head, &names, "} => {");
                out.deeper(|out| {
                    steps(out, &[Step::Words(variant.before.clone())]);
                    steps(out, &variant.steps);
                });
                out.line("}");
                return;
            }
        }
    };
    let mut all = vec![Step::Words(variant.before.clone())];
    all.extend(variant.steps.iter().cloned());
    let single = match &*all {
        [Step::Words(words)] if words.len() == 1 => Some(format!("to.word({})", bytes(&words[0]))),
        [Step::Words(words), Step::Value(place, ty)] if words.is_empty() => {
            Some(format!("{place}.{}(to)", writer(ty)))
        }
        _ => None,
    };
    match single {
        Some(single) => out.line(&format!("{pattern} => {single},")),
        None => out.braces(&format!("{pattern} =>"), |out| steps(out, &all)),
    }
}

/// ```text
/// /// `score member`
/// #[derive(Clone, Debug)]
/// pub struct ScoreMember<'a> {
///     pub(crate) score: Arg<'static>,
///     pub(crate) member: Arg<'a>,
/// }
/// ```
///
/// with `new`, a setter for each optional part, and conversions from tuples.
pub(super) fn block(out: &mut Text, item: &BlockModel) {
    let name = with_lifetime(&item.name, item.borrows());
    out.doc(&format!(
        "`{}`, a part of {}.",
        item.syntax,
        users(&item.commands)
    ));
    let several = item.required.len() > 1 && item.required.iter().all(|(_, ty)| !is_list(ty));
    if several {
        let names: Vec<_> = item
            .required
            .iter()
            .map(|(name, _)| name.trim_start_matches("r#"))
            .collect();
        out.doc(&format!(
            "\nA tuple `({})` converts into it.",
            names.join(", ")
        ));
    }
    out.line("#[derive(Clone, Debug)]");
    out.braces(&format!("pub struct {name}"), |out| {
        for (name, ty) in &item.required {
            out.line(&format!("pub(crate) {name}: {},", field(ty)));
        }
        for (name, ty, _) in &item.optional {
            match ty {
                Some(ty) => out.line(&format!("{name}: Option<{}>,", field(ty))),
                None => out.line(&format!("{name}: bool,")),
            }
        }
    });
    out.line("");
    let head = if item.borrows() { "impl<'a>" } else { "impl" };
    out.braces(&format!("{head} {name}"), |out| {
        let mut markers = Vec::new();
        let parameters: Vec<_> = item
            .required
            .iter()
            .map(|(name, ty)| format!("{name}: {}", parameter(ty, &mut markers)))
            .collect();
        let mut fields: Vec<_> = item
            .required
            .iter()
            .map(|(name, ty)| assign(name, &conversion(name, ty)))
            .collect();
        fields.extend(item.optional.iter().map(|(name, ty, _)| {
            format!("{name}: {}", if ty.is_some() { "None" } else { "false" })
        }));
        out.doc(&format!("`{}`", item.syntax));
        out.line("#[must_use]");
        out.function("pub fn new", &markers, &parameters, "Self", |out| {
            out.literal("Self", &fields);
        });
        out.line("");
        for (name, ty, syntax) in &item.optional {
            out.doc(&format!("`{syntax}`"));
            out.line("#[must_use]");
            let mut markers = Vec::new();
            let mut parameters = vec!["mut self".to_owned()];
            if let Some(ty) = ty {
                parameters.push(format!("{name}: {}", parameter(ty, &mut markers)));
            }
            out.function(
                &format!("pub fn {name}"),
                &markers,
                &parameters,
                "Self",
                |out| {
                    match ty {
                        Some(ty) => {
                            out.line(&format!("self.{name} = Some({});", conversion(name, ty)));
                        }
                        None => out.line(&format!("self.{name} = true;")),
                    }
                    out.line("self");
                },
            );
            out.line("");
        }
        // A row is written column by column by its command.
        if !item.steps.is_empty() {
            out.doc("Writes the words that are sent for it.");
            out.function(
                "pub fn write_words",
                &[],
                &["&self".to_owned(), "to: &mut Writer<'_>".to_owned()],
                "",
                |out| steps(out, &item.steps),
            );
        }
    });
    out.line("");
    out.line(&format!(
        "impl Item for {} {{}}",
        anonymous(&item.name, item.borrows())
    ));
    out.line("");
    if several {
        tuple_conversions(out, item, &name);
    }
}

/// `impl<'a, A: Double, B: Into<Arg<'a>>> From<(A, B)> for ScoreMember<'a>`, and from a reference.
fn tuple_conversions(out: &mut Text, item: &BlockModel, name: &str) {
    let letters = ["A", "B", "C", "D", "E"];
    let bound_of = |ty: &Ty| match ty {
        Ty::Key | Ty::Text => "Into<Arg<'a>>".to_owned(),
        Ty::Enum { .. } | Ty::Block { .. } => format!("Into<{}>", field(ty)),
        number => bound(number).to_owned(),
    };
    let parts: Vec<_> = item.required.iter().zip(letters).collect();
    if parts.len() < item.required.len() {
        return;
    }
    let names: Vec<_> = parts.iter().map(|((name, _), _)| name.clone()).collect();
    let types: Vec<_> = parts
        .iter()
        .map(|(_, letter)| (*letter).to_owned())
        .collect();
    let tuple = format!("({})", types.join(", "));
    let pattern = format!("({})", names.join(", "));
    let values: Vec<_> = parts
        .iter()
        .map(|((name, ty), _)| match ty {
            Ty::Enum { open: false, .. } => format!("{name}.into()"),
            _ => name.clone(),
        })
        .collect();
    let lifetime = if item.borrows() { "'a, " } else { "" };
    for reference in [false, true] {
        let by = if reference { "&'b " } else { "" };
        // An enum by reference would have to be cloned by its caller.
        if reference && item.required.iter().any(|(_, ty)| !ty.is_scalar()) {
            continue;
        }
        let extra = if reference { "'b, " } else { "" };
        out.line(&format!(
            "impl<{lifetime}{extra}{}> From<{by}{tuple}> for {name}",
            types.join(", ")
        ));
        out.line("where");
        for ((_, ty), letter) in &parts {
            out.line(&format!("    {by}{letter}: {},", bound_of(ty)));
        }
        out.line("{");
        let mut inner = Text::indented(1);
        inner.function(
            "fn from",
            &[],
            &[format!("{pattern}: {by}{tuple}")],
            "Self",
            |out| {
                out.call("Self::new", &values);
            },
        );
        out.raw(&inner.finish());
        out.line("}");
        out.line("");
    }
}

fn is_list(ty: &Ty) -> bool {
    matches!(ty, Ty::List(_))
}

fn with_lifetime(name: &str, borrows: bool) -> String {
    if borrows {
        format!("{name}<'a>")
    } else {
        name.to_owned()
    }
}

fn anonymous(name: &str, borrows: bool) -> String {
    if borrows {
        format!("{name}<'_>")
    } else {
        name.to_owned()
    }
}

/// Which commands use a type, at most three by name.
fn users(commands: &std::collections::BTreeSet<String>) -> String {
    let names: Vec<_> = commands
        .iter()
        .take(3)
        .map(|name| format!("`{name}`"))
        .collect();
    match commands.len() - names.len() {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names.join(", ")),
    }
}

/// An argument's syntax with who has it and since when.
pub(super) fn said(syntax: &str, since: Option<&str>, provider: Option<Provider>) -> String {
    let mut text = format!("`{syntax}`");
    match (provider, since) {
        (Some(Provider::Valkey), Some(since)) => {
            text.push_str(&format!(", Valkey only, since {since}"));
        }
        (Some(Provider::Valkey), None) => text.push_str(", Valkey only"),
        (Some(Provider::Redis), Some(since)) => {
            text.push_str(&format!(", Redis only, since {since}"));
        }
        (Some(Provider::Redis), None) => text.push_str(", Redis only"),
        (None, Some(since)) => text.push_str(&format!(", since {since}")),
        (None, None) => {}
    }
    text
}

/// `shared.rs`: the enums and blocks that several groups use.
pub(super) fn shared(model: &Model, root: Root) -> String {
    let mut out = Text::default();
    for item in model.shared.enums.values() {
        enumeration(&mut out, item);
    }
    for item in model.shared.blocks.values() {
        block(&mut out, item);
    }
    let mut body = out.finish();
    while body.ends_with("\n\n") {
        body.pop();
    }
    let mut file = Imports::new(root, &body).render(0, &[]);
    file.push('\n');
    file.push_str(&body);
    file
}
