//! The struct of a command, its setters, what makes it a command, its method and its constructor.

use crate::{
    load::Spec,
    model::{Alternative, CommandModel, FieldKind, Opt, OptKind, ReplyModel, State, Ty},
    replies::Type,
    spec::Unit,
};

use super::{
    docs,
    info::constant,
    needs,
    text::{Text, short},
    types::{assign, conversion, field, parameter, read, reply, said, steps},
};

/// The type parameters of the slots; the letters that other parameters use are left out.
const LETTERS: [&str; 20] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "Q", "R", "T", "U", "V", "W", "Y",
    "Z",
];

/// Everything of one command that stands at the level of its module.
pub(super) fn command(out: &mut Text, command: &CommandModel, spec: &Spec) {
    let shape = Shape::new(command);
    structure(out, command, &shape, spec);
    constructor_and_setters(out, command, &shape);
    if let ReplyModel::ByState(patterns) = &command.reply {
        reply_states(out, command, patterns);
    }
    behaviour(out, command, &shape);
}

/// How the type of a command is written.
struct Shape {
    /// Whether it borrows from the caller.
    borrows: bool,
    /// How many slots its type-state has.
    slots: usize,
}

impl Shape {
    fn new(command: &CommandModel) -> Self {
        let borrows = command.fields.iter().any(|field| match &field.kind {
            FieldKind::Required(ty) => ty.borrows(),
            FieldKind::Flag => false,
            FieldKind::Optional(types) => types.iter().any(Ty::borrows),
        });
        Self {
            borrows,
            slots: command.slots.len(),
        }
    }

    /// `Set<'a, X, (A, Open, C)>`
    fn applied(&self, name: &str, lifetime: &str, via: &str, state: Option<&str>) -> String {
        let mut parts = Vec::new();
        if self.borrows {
            parts.push(lifetime.to_owned());
        }
        parts.push(via.to_owned());
        if self.slots > 0 {
            parts.extend(state.map(str::to_owned));
        }
        format!("{name}<{}>", parts.join(", "))
    }

    /// `'a, X, A, C`
    fn generics(&self, lifetime: bool, more: &[String]) -> String {
        let mut parts = Vec::new();
        if self.borrows && lifetime {
            parts.push("'a".to_owned());
        }
        parts.push("X".to_owned());
        parts.extend(more.iter().cloned());
        parts.join(", ")
    }

    /// `(Open, Open)`
    fn open(&self) -> String {
        tuple(&vec!["Open".to_owned(); self.slots])
    }
}

/// `(A,)`, `(A, B)`
fn tuple(parts: &[String]) -> String {
    match parts {
        [one] => format!("({one},)"),
        several => format!("({})", several.join(", ")),
    }
}

/// ```text
/// /// `SET key value [NX | XX] …`: sets …
/// #[derive(Clone)]
/// #[must_use = "…"]
/// pub struct Set<'a, X = Detached, S = (Open, Open, Open)> {
///     via: X,
///     key: Arg<'a>,
///     state: PhantomData<fn() -> S>,
/// }
/// ```
fn structure(out: &mut Text, command: &CommandModel, shape: &Shape, spec: &Spec) {
    docs::command(out, command, spec);
    out.line("#[derive(Clone)]");
    out.line(
        "#[must_use = \"a command does nothing until it is awaited, sent or put into a pipeline\"]",
    );
    let lifetime = if shape.borrows { "'a, " } else { "" };
    let state = if shape.slots > 0 {
        format!(", S = {}", shape.open())
    } else {
        String::new()
    };
    let head = format!(
        "pub struct {}<{lifetime}X = Detached{state}>",
        command.type_name
    );
    out.braces(&head, |out| {
        out.line("via: X,");
        for item in &command.fields {
            let ty = match &item.kind {
                FieldKind::Required(ty) => field(ty),
                FieldKind::Flag => "bool".to_owned(),
                FieldKind::Optional(types) => match &**types {
                    [one] => format!("Option<{}>", field(one)),
                    several => format!(
                        "Option<({})>",
                        several.iter().map(field).collect::<Vec<_>>().join(", ")
                    ),
                },
            };
            out.line(&format!("{}: {ty},", item.name));
        }
        if shape.slots > 0 {
            out.line("state: PhantomData<fn() -> S>,");
        }
    });
    out.line("");
}

fn constructor_and_setters(out: &mut Text, command: &CommandModel, shape: &Shape) {
    let head = format!(
        "impl<{}> {}",
        shape.generics(true, &[]),
        shape.applied(&command.type_name, "'a", "X", None)
    );
    out.braces(&head, |out| {
        let mut parameters = vec!["via: X".to_owned()];
        parameters.extend(
            command
                .parameters
                .iter()
                .map(|item| format!("{}: {}", item.name, field(&item.ty))),
        );
        let mut fields = vec!["via".to_owned()];
        fields.extend(command.fields.iter().map(|item| match item.kind {
            FieldKind::Required(_) => item.name.clone(),
            FieldKind::Flag => format!("{}: false", item.name),
            FieldKind::Optional(_) => format!("{}: None", item.name),
        }));
        if shape.slots > 0 {
            fields.push("state: PhantomData".to_owned());
        }
        out.function("fn new", &[], &parameters, "Self", |out| {
            out.literal("Self", &fields)
        });
    });
    out.line("");
    if shape.slots > 0 {
        transition(out, command, shape);
    }
    let free: Vec<_> = command
        .options
        .iter()
        .filter(|option| option.slot.is_none() && option.after.is_none())
        .collect();
    if !free.is_empty() {
        let more = if shape.slots > 0 {
            vec!["S".to_owned()]
        } else {
            Vec::new()
        };
        let head = format!(
            "impl<{}> {}",
            shape.generics(true, &more),
            shape.applied(&command.type_name, "'a", "X", Some("S"))
        );
        out.braces(&head, |out| {
            for option in free {
                setters(out, command, option, shape);
            }
        });
        out.line("");
    }
    for option in command
        .options
        .iter()
        .filter(|option| option.slot.is_some() || option.after.is_some())
    {
        let states = states(command, option, None, false);
        let letters = letters_in(&states);
        let head = format!(
            "impl<{}> {}",
            shape.generics(true, &letters),
            shape.applied(&command.type_name, "'a", "X", Some(&tuple(&states)))
        );
        out.braces(&head, |out| setters(out, command, option, shape));
        out.line("");
    }
}

/// The states of all slots around an option: what it requires, or what it leaves behind.
fn states(command: &CommandModel, option: &Opt, given: Option<u8>, after: bool) -> Vec<String> {
    (0..command.slots.len())
        .map(|slot| {
            if option.slot == Some(slot) {
                match (after, given) {
                    (false, _) => "Open".to_owned(),
                    (true, Some(number)) if number > 0 => format!("Given<{number}>"),
                    (true, _) => "Given".to_owned(),
                }
            } else if option.after == Some(slot) {
                "Given".to_owned()
            } else {
                LETTERS.get(slot).copied().unwrap_or("S").to_owned()
            }
        })
        .collect()
}

fn letters_in(states: &[String]) -> Vec<String> {
    states
        .iter()
        .filter(|state| LETTERS.contains(&state.as_str()))
        .cloned()
        .collect()
}

/// ```text
/// impl<'a, X, S> Set<'a, X, S> {
///     fn enter<T>(self) -> Set<'a, X, T> {
/// ```
fn transition(out: &mut Text, command: &CommandModel, shape: &Shape) {
    let head = format!(
        "impl<{}> {}",
        shape.generics(true, &["S".to_owned()]),
        shape.applied(&command.type_name, "'a", "X", Some("S"))
    );
    let result = shape.applied(&command.type_name, "'a", "X", Some("N"));
    out.braces(&head, |out| {
        out.function(
            "fn enter",
            &["N".to_owned()],
            &["self".to_owned()],
            &result,
            |out| {
                let mut fields = vec!["via: self.via".to_owned()];
                fields.extend(
                    command
                        .fields
                        .iter()
                        .map(|item| format!("{}: self.{}", item.name, item.name)),
                );
                fields.push("state: PhantomData".to_owned());
                out.literal(&command.type_name, &fields);
            },
        );
    });
    out.line("");
}

/// The setters of one option.
fn setters(out: &mut Text, command: &CommandModel, option: &Opt, shape: &Shape) {
    let note = &option.note;
    match &option.kind {
        OptKind::Flag { setter: name } => {
            out.doc(&said(note));
            setter(out, command, option, shape, name, &[], "true", 0);
        }
        OptKind::Values {
            setter: name,
            parameters,
            by_token,
        } => {
            out.doc(&said(note));
            let values: Vec<_> = parameters
                .iter()
                .map(|item| conversion(&item.name, &item.ty))
                .collect();
            let value = match (&*values, parameters.first().map(|item| &item.ty)) {
                // An empty list is as good as none, and a second one goes on where the first ended.
                ([one], Some(Ty::List(_))) => {
                    let target = if option.slot.is_some() {
                        "next"
                    } else {
                        "self"
                    };
                    format!("{one}.after({target}.{}.take())", option.field)
                }
                ([one], _) => format!("Some({one})"),
                (several, _) => some(several),
            };
            let typed: Vec<_> = parameters
                .iter()
                .map(|item| (item.name.clone(), item.ty.clone()))
                .collect();
            setter(out, command, option, shape, name, &typed, &value, 0);
            for (token, variant, syntax) in by_token {
                let mut fixed = values.clone();
                fixed[0].clone_from(variant);
                let value = some(&fixed);
                out.doc(&format!("`{syntax}` of `{}`", note.syntax));
                setter(out, command, option, shape, token, &typed[1..], &value, 0);
            }
        }
        OptKind::Choice {
            name,
            borrows,
            setter: by_enum,
            nullable,
            alternatives,
        } => {
            for alternative in alternatives {
                choice_setter(out, command, option, shape, name, alternative);
            }
            let Some(by_enum) = by_enum else { return };
            let syntax = &note.syntax;
            let ty = if *borrows {
                format!("{name}<'a>")
            } else {
                name.clone()
            };
            let (ty, value) = if *nullable {
                out.doc(&format!(
                    "`{syntax}`, chosen at run time; `None` leaves it out."
                ));
                (
                    format!("impl Into<Option<{ty}>>"),
                    format!("{by_enum}.into()"),
                )
            } else {
                out.doc(&format!("`{syntax}`, chosen at run time."));
                (ty, format!("Some({by_enum})"))
            };
            let parameters = [format!("{by_enum}: {ty}")];
            fill(
                out,
                command,
                option,
                shape,
                by_enum,
                &[],
                &parameters,
                &value,
                0,
            );
        }
    }
}

/// `Some((a, b))`, one part on a line where it is long.
fn some(parts: &[String]) -> String {
    let flat = parts.join(", ");
    if flat.len() <= 58 {
        format!("Some(({flat}))")
    } else {
        format!("Some((\n{},\n))", parts.join(",\n"))
    }
}

fn choice_setter(
    out: &mut Text,
    command: &CommandModel,
    option: &Opt,
    shape: &Shape,
    name: &str,
    alternative: &Alternative,
) {
    let note = &alternative.note;
    out.doc(&said(note));
    let typed: Vec<_> = alternative
        .parameters
        .iter()
        .map(|item| (item.name.clone(), item.ty.clone()))
        .collect();
    let values: Vec<_> = typed
        .iter()
        .map(|(name, ty)| conversion(name, ty))
        .collect();
    let variant = format!("{name}::{}", alternative.variant);
    let value = match &*values {
        [] => format!("Some({variant})"),
        [one] => format!("Some({variant}({one}))"),
        _ => {
            let fields: Vec<_> = typed
                .iter()
                .map(|(name, ty)| assign(name, &conversion(name, ty)))
                .collect();
            if short(&fields) {
                format!("Some({variant} {{ {} }})", fields.join(", "))
            } else {
                format!("Some({variant} {{\n{},\n}})", fields.join(",\n"))
            }
        }
    };
    setter(
        out,
        command,
        option,
        shape,
        &alternative.setter,
        &typed,
        &value,
        alternative.state,
    );
}

#[expect(clippy::too_many_arguments, reason = "the parts of one signature")]
fn setter(
    out: &mut Text,
    command: &CommandModel,
    option: &Opt,
    shape: &Shape,
    name: &str,
    typed: &[(String, Ty)],
    value: &str,
    state: u8,
) {
    let mut markers = Vec::new();
    let parameters: Vec<_> = typed
        .iter()
        .map(|(name, ty)| format!("{name}: {}", parameter(ty, &mut markers)))
        .collect();
    fill(
        out,
        command,
        option,
        shape,
        name,
        &markers,
        &parameters,
        value,
        state,
    );
}

/// ```text
/// pub fn nx(self) -> Set<'a, X, (Given, B, C)> {
///     let mut next = self.enter();
///     next.condition = Some(SetCondition::Nx);
///     next
/// }
/// ```
#[expect(clippy::too_many_arguments, reason = "the parts of one signature")]
fn fill(
    out: &mut Text,
    command: &CommandModel,
    option: &Opt,
    shape: &Shape,
    name: &str,
    markers: &[String],
    parameters: &[String],
    value: &str,
    state: u8,
) {
    let mut all = vec![
        if option.slot.is_some() {
            "self"
        } else {
            "mut self"
        }
        .to_owned(),
    ];
    all.extend(parameters.iter().cloned());
    let (result, target) = if option.slot.is_some() {
        let states = states(command, option, Some(state), true);
        (
            shape.applied(&command.type_name, "'a", "X", Some(&tuple(&states))),
            "next",
        )
    } else {
        ("Self".to_owned(), "self")
    };
    out.function(&format!("pub fn {name}"), markers, &all, &result, |out| {
        if option.slot.is_some() {
            out.line("let mut next = self.enter();");
        }
        let place = format!("{target}.{}", option.field);
        let line = format!("{place} = {value};");
        if value.contains('\n') {
            let mut lines: Vec<_> = line.lines().map(str::to_owned).collect();
            let tail = lines.pop().unwrap_or_default();
            let head = lines.remove(0);
            let fields: Vec<_> = lines
                .iter()
                .map(|line| line.trim_end_matches(',').to_owned())
                .collect();
            out.wrapped(&head, &fields, &tail);
        } else if out.fits(&line) {
            out.line(&line);
        } else {
            out.line(&format!("{place} ="));
            out.line(&format!("    {value};"));
        }
        out.line(target);
    });
    out.line("");
}

/// ```text
/// /// The reply of [`Set`], which follows from the options given.
/// pub trait SetReply {
///     /// The type of the reply.
///     type Reply;
///
///     /// Reads it.
///     ///
///     /// # Errors
///     ///
///     /// Where the reply has another form.
///     fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
/// }
///
/// impl<A> SetReply for (Open, Open, A) { … }
/// ```
fn reply_states(out: &mut Text, command: &CommandModel, patterns: &[(Vec<State>, Type)]) {
    let slots: Vec<_> = command
        .slots
        .iter()
        .map(|slot| slot.name.trim_start_matches("r#"))
        .collect();
    out.doc(&format!(
        "The reply of [`{}`], which follows from the options given: {}.",
        command.type_name,
        slots.join(", ")
    ));
    out.braces(&format!("pub trait {}Reply", command.type_name), |out| {
        out.doc("The type of the reply.");
        out.line("type Reply;");
        out.line("");
        out.doc("Reads it.\n\n# Errors\n\nWhere the reply has another form.");
        out.line("fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;");
    });
    out.line("");
    for (pattern, ty) in patterns {
        let states: Vec<_> = pattern
            .iter()
            .enumerate()
            .map(|(slot, state)| match state {
                State::Any => LETTERS.get(slot).copied().unwrap_or("S").to_owned(),
                State::Open => "Open".to_owned(),
                State::Given(0) => "Given".to_owned(),
                State::Given(number) => format!("Given<{number}>"),
            })
            .collect();
        let letters = letters_in(&states);
        let generics = if letters.is_empty() {
            String::new()
        } else {
            format!("<{}>", letters.join(", "))
        };
        let head = format!(
            "impl{generics} {}Reply for {}",
            command.type_name,
            tuple(&states)
        );
        out.braces(&head, |out| {
            let rust = reply(ty);
            out.line(&format!("type Reply = {rust};"));
            out.line("");
            out.function(
                "fn read",
                &[],
                &["reply: Reply<'_>".to_owned()],
                "Result<Self::Reply, DecodeError>",
                |out| out.line(read(ty)),
            );
        });
        out.line("");
    }
}

/// `Command`, `IntoFuture` and `Debug`.
fn behaviour(out: &mut Text, command: &CommandModel, shape: &Shape) {
    let by_state = matches!(command.reply, ReplyModel::ByState(_));
    let state = if by_state {
        vec![format!("S: {}Reply", command.type_name)]
    } else if shape.slots > 0 {
        vec!["S".to_owned()]
    } else {
        Vec::new()
    };
    let generics = |via: &str| {
        let mut parts = vec![via.to_owned()];
        parts.extend(state.iter().cloned());
        parts.join(", ")
    };
    let applied = shape.applied(&command.type_name, "'_", "X", Some("S"));
    out.braces(
        &format!(
            "impl<{}> command::Command for {applied}",
            generics("X: Via")
        ),
        |out| {
            out.line("type Via = X;");
            match &command.reply {
                ReplyModel::Fixed(ty) => out.line(&format!("type Reply = {};", reply(ty))),
                ReplyModel::ByState(_) => out.line("type Reply = S::Reply;"),
            }
            out.line("");
            out.function("fn via", &[], &["&self".to_owned()], "X", |out| {
                out.line("self.via")
            });
            out.line("");
            let constant = constant(&command.name);
            let result = "&'static command::Info";
            out.function("fn info", &[], &["&self".to_owned()], result, |out| {
                out.line(&format!("&info::{constant}"));
            });
            out.line("");
            let parameters = ["&self".to_owned(), "to: &mut Writer<'_>".to_owned()];
            out.function("fn write", &[], &parameters, "", |out| {
                out.line(&format!("info::{constant}.write_name(to);"));
                steps(out, &command.steps);
            });
            out.line("");
            let parameters = ["&self".to_owned(), "reply: Reply<'_>".to_owned()];
            let result = "Result<Self::Reply, DecodeError>";
            out.function("fn read", &[], &parameters, result, |out| {
                match &command.reply {
                    ReplyModel::Fixed(ty) => out.line(read(ty)),
                    ReplyModel::ByState(_) => out.line("S::read(reply)"),
                }
            });
            if let Some(patience) = &command.patience {
                out.line("");
                let unit = match patience.unit {
                    Unit::Milliseconds => "as_milliseconds",
                    _ => "as_seconds",
                };
                let field = &patience.field;
                let place = match patience.part {
                    Some(part) => format!("{field}.{part}"),
                    None => field.clone(),
                };
                out.function(
                    "fn patience",
                    &[],
                    &["&self".to_owned()],
                    "Patience",
                    |out| {
                        if patience.optional {
                            out.line(&format!("let Some({field}) = &self.{field} else {{"));
                            out.line("    return Patience::None;");
                            out.line("};");
                            out.line(&format!("Patience::until({place}.{unit}())"));
                        } else {
                            out.line(&format!("Patience::until(self.{field}.{unit}())"));
                        }
                    },
                );
            }
            if !command.needs.is_empty() {
                out.line("");
                out.function("fn needs", &[], &["&self".to_owned()], "Needs", |out| {
                    out.line("let mut needs = Needs::of(self.info());");
                    for step in &command.needs {
                        needs::step(out, step);
                    }
                    out.line("needs");
                });
            }
        },
    );
    out.line("");
    let head = format!("impl<{}> IntoFuture", generics("X: Asynchronous<Self>"));
    out.implementation(&head, &applied, |out| {
        out.line("type Output = Result<<Self as command::Command>::Reply>;");
        out.line("type IntoFuture = X::Pending;");
        out.line("");
        out.function(
            "fn into_future",
            &[],
            &["self".to_owned()],
            "Self::IntoFuture",
            |out| {
                out.line("self.via.execute(self)");
            },
        );
    });
    out.line("");
    out.braces(
        &format!("impl<{}> fmt::Debug for {applied}", generics("X: Via")),
        |out| {
            let parameters = ["&self".to_owned(), "f: &mut fmt::Formatter<'_>".to_owned()];
            out.function("fn fmt", &[], &parameters, "fmt::Result", |out| {
                out.line("command::debug(self, f)");
            });
        },
    );
    out.line("");
}

/// ```text
/// pub trait StringCommands: Commands {
///     /// `GET key`: returns …
///     fn get<'a>(&self, key: impl Into<Arg<'a>>) -> Get<'a, &Self> {
///         Get::new(self, key.into())
///     }
/// }
///
/// impl<T: Commands + ?Sized> StringCommands for T {}
/// ```
pub(super) fn methods(
    out: &mut Text,
    name: &str,
    bound: &str,
    commands: &[&CommandModel],
    spec: &Spec,
) {
    let mut inner = Text::indented(1);
    for command in commands {
        method(&mut inner, command, spec);
    }
    let text = inner.finish();
    out.braces(&format!("pub trait {name}: {bound}"), |out| out.raw(&text));
    out.line("");
    out.line(&format!("impl<T: {bound} + ?Sized> {name} for T {{}}"));
    out.line("");
}

/// One method of the group's trait.
pub(super) fn method(out: &mut Text, command: &CommandModel, spec: &Spec) {
    docs::short(out, command, spec);
    make(out, command, "fn", Some("&self"), "self", "&Self");
}

/// ```text
/// /// `GET key`: returns …
/// pub fn get<'a>(key: impl Into<Arg<'a>>) -> Get<'a> {
///     Get::new(Detached, key.into())
/// }
/// ```
pub(super) fn constructor(out: &mut Text, command: &CommandModel, spec: &Spec) {
    docs::short(out, command, spec);
    make(out, command, "pub fn", None, "Detached", "");
}

fn make(
    out: &mut Text,
    command: &CommandModel,
    keyword: &str,
    receiver: Option<&str>,
    via: &str,
    via_type: &str,
) {
    let shape = Shape::new(command);
    let mut markers = Vec::new();
    let mut parameters: Vec<_> = receiver.map(str::to_owned).into_iter().collect();
    parameters.extend(
        command
            .parameters
            .iter()
            .map(|item| format!("{}: {}", item.name, parameter(&item.ty, &mut markers))),
    );
    let mut generics = Vec::new();
    if shape.borrows {
        generics.push("'a".to_owned());
    }
    generics.extend(markers);
    let mut applied = Vec::new();
    if shape.borrows {
        applied.push("'a");
    }
    if !via_type.is_empty() {
        applied.push(via_type);
    }
    let result = if applied.is_empty() {
        command.type_name.clone()
    } else {
        format!("{}<{}>", command.type_name, applied.join(", "))
    };
    let mut values = vec![via.to_owned()];
    values.extend(
        command
            .parameters
            .iter()
            .map(|item| conversion(&item.name, &item.ty)),
    );
    let head = format!("{keyword} {}", command.method);
    out.function(&head, &generics, &parameters, &result, |out| {
        out.call(&format!("{}::new", command.type_name), &values);
    });
    out.line("");
}
