//! Replies that are structs.

use heck::ToSnakeCase;

use crate::{
    load::Spec,
    replies::Type,
    structs::{Field, Shape, Struct},
};

use super::{
    Root,
    text::{Imports, Text, mentions},
    types::reply,
};

/// `structs.rs`: the structs that arrive by name or by position.
pub(super) fn file(spec: &Spec, root: Root) -> String {
    let mut out = Text::default();
    for (name, item) in &spec.structs {
        if item.shape != Shape::Custom {
            structure(&mut out, name, item);
        }
    }
    let mut body = out.finish();
    while body.ends_with("\n\n") {
        body.pop();
    }
    let custom: Vec<_> = spec
        .structs
        .iter()
        .filter(|(name, item)| item.shape == Shape::Custom && mentions(&body, name))
        .map(|(name, _)| name.as_str())
        .collect();
    let custom = match &*custom {
        [] => Vec::new(),
        [one] => vec![format!("super::{one}")],
        several => vec![format!("super::{{{}}}", several.join(", "))],
    };
    let custom: Vec<_> = custom.iter().map(String::as_str).collect();
    let mut file = Imports::new(root, &body).render(0, &custom);
    file.push('\n');
    file.push_str(&body);
    file
}

/// The type of a field, in the module of the replies.
fn ty(item: &Field) -> String {
    let ty = item.parsed().unwrap_or(Type::Any);
    let rust = reply(&ty).replace("reply::", "");
    match ty {
        Type::Optional(_) => rust,
        _ if item.optional => format!("Option<{rust}>"),
        _ => rust,
    }
}

fn name(item: &Field) -> String {
    let name = item
        .rust
        .clone()
        .unwrap_or_else(|| item.name.to_snake_case());
    match name.as_str() {
        "type" => "r#type".to_owned(),
        _ => name,
    }
}

/// ```text
/// /// A consumer of a stream's group.
/// #[derive(Clone, Debug, PartialEq)]
/// #[non_exhaustive]
/// pub struct ConsumerInfo {
///     /// Name.
///     pub name: Bytes,
///     /// What a newer server sends besides, by name.
///     pub rest: Vec<(String, Value)>,
/// }
///
/// impl Decode for ConsumerInfo {
///     fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
///         let mut fields = Fields::of(reply)?;
///         Ok(Self {
///             name: fields.required("name")?,
///             rest: fields.rest()?,
///         })
///     }
/// }
/// ```
fn structure(out: &mut Text, title: &str, item: &Struct) {
    out.doc(&item.doc);
    if item.unverified {
        out.doc("\nThis is as the documentation has it: no server that sends it was at hand.");
    }
    out.line("#[derive(Clone, Debug, PartialEq)]");
    out.line("#[non_exhaustive]");
    out.braces(&format!("pub struct {title}"), |out| {
        for field in &item.fields {
            let since = match &field.since {
                Some(since) => format!(", since {since}"),
                None => String::new(),
            };
            let mut doc = field.doc.clone();
            if let Some(first) = doc.get(0..1) {
                doc = format!("{}{}", first.to_uppercase(), &doc[1..]);
            }
            out.doc(&format!("{doc}{since}."));
            out.line(&format!("pub {}: {},", name(field), ty(field)));
        }
        match item.shape {
            Shape::Map => {
                out.doc("What a newer server sends besides, by name.");
                out.line("pub rest: Vec<(String, Value)>,");
            }
            Shape::Line | Shape::Lines => {
                out.doc("What a newer server sends besides, by name.");
                out.line("pub rest: Vec<(String, Bytes)>,");
            }
            _ if item.fields.iter().all(|field| !field.rest) => {
                out.doc("What a newer server sends besides, in order.");
                out.line("pub rest: Vec<Value>,");
            }
            _ => {}
        }
    });
    out.line("");
    match item.shape {
        Shape::Line | Shape::Lines => in_text(out, title, item),
        _ => decode(out, title, item),
    }
    out.line("");
}

/// How a struct is read from a reply; its docs show it.
fn decode(out: &mut Text, title: &str, item: &Struct) {
    out.braces(&format!("impl Decode for {title}"), |out| {
        let parameters = ["reply: Reply<'_>".to_owned()];
        out.function(
            "fn decode",
            &[],
            &parameters,
            "Result<Self, DecodeError>",
            |out| {
                let source = match item.shape {
                    Shape::Map => "Fields",
                    _ => "Parts",
                };
                out.line(&format!("let mut parts = {source}::of(reply)?;"));
                parts(out, item);
            },
        );
    });
}

/// ```text
/// impl FromText for ClientInfo {
///     fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
///         let mut parts = Fields::in_line(text, b' ');
///         Ok(Self {
///             id: parts.required("id")?,
///             rest: parts.rest()?,
///         })
///     }
/// }
///
/// impl Decode for ClientInfo {
///     fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
///         read_line(reply)
///     }
///
///     fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
///         read_lines(reply)
///     }
/// }
/// ```
fn in_text(out: &mut Text, title: &str, item: &Struct) {
    out.braces(&format!("impl FromText for {title}"), |out| {
        let parameters = ["text: &[u8]".to_owned()];
        let result = "Result<Self, DecodeError>";
        out.function("fn from_text", &[], &parameters, result, |out| {
            let source = match item.shape {
                Shape::Line => format!("in_line(text, b{:?})", item.between.unwrap_or(' ')),
                _ => "in_lines(text)".to_owned(),
            };
            out.line(&format!("let mut parts = Fields::{source};"));
            parts(out, item);
        });
    });
    out.line("");
    out.braces(&format!("impl Decode for {title}"), |out| {
        let parameters = ["reply: Reply<'_>".to_owned()];
        let result = "Result<Self, DecodeError>";
        if item.shape == Shape::Lines {
            out.function("fn decode", &[], &parameters, result, |out| {
                out.line("read_text(reply)");
            });
            return;
        }
        out.function("fn decode", &[], &parameters, result, |out| {
            out.line("read_line(reply)");
        });
        out.line("");
        let result = "Result<Vec<Self>, DecodeError>";
        out.function("fn decode_list", &[], &parameters, result, |out| {
            out.line("read_lines(reply)");
        });
    });
}

/// `Ok(Self { … })`, its fields taken out of `parts`.
fn parts(out: &mut Text, item: &Struct) {
    let mut fields: Vec<_> = item.fields.iter().map(taken).collect();
    if item.fields.iter().all(|field| !field.rest) {
        fields.push("rest: parts.rest()?".to_owned());
    }
    out.line("Ok(Self {");
    out.deeper(|out| {
        for field in fields {
            let line = format!("{field},");
            match line.split_once(": parts.") {
                Some((name, call)) if !out.fits(&line) => {
                    out.line(&format!("{name}: parts"));
                    out.line(&format!("    .{call}"));
                }
                _ => out.line(&line),
            }
        }
    });
    out.line("})");
}

/// `name: parts.required("name")?`
fn taken(field: &Field) -> String {
    let call = match field {
        Field { rest: true, .. } => "rest()".to_owned(),
        Field { each: true, .. } => format!("each({:?})", field.name),
        Field { optional: true, .. } => format!("optional({:?})", field.name),
        _ => format!("required({:?})", field.name),
    };
    format!("{}: parts.{call}?", name(field))
}
