//! Replies that are structs.

use heck::ToSnakeCase;
use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use crate::{
    load::Spec,
    replies::Type,
    structs::{Field, Shape, Struct},
};

use super::{
    Root,
    imports::{Imports, Used},
    tokens::{doc, ident},
    types::reply,
};

/// `structs.rs`: the structs that arrive by name or by position, which callers may ask for.
pub(super) fn file(spec: &Spec, root: Root) -> TokenStream {
    let structs = spec.structs.iter();
    let body: TokenStream = structs
        .clone()
        .filter(|(_, item)| item.shape != Shape::Custom)
        .map(|(name, item)| structure(name, item))
        .collect();
    let used = Used::in_code(&body);
    let custom: Vec<_> = spec
        .structs
        .iter()
        .filter(|(name, item)| item.shape == Shape::Custom && used.has(name))
        .map(|(name, _)| &**name)
        .collect();
    let imports = Imports::new(root, &used).and("super", &custom).render();
    // A user's crate need not have serde.
    let requested = (root == Root::Client).then(|| {
        let of = |lines: bool| {
            let names = structs.clone().filter(move |(_, item)| match item.shape {
                Shape::Custom => false,
                shape => (shape == Shape::Line) == lines,
            });
            names.map(|(name, _)| ident(name))
        };
        let (lines, others) = (of(true), of(false));
        quote! {
            super::deserialize::deserialize! { LINE: #(#lines),* }
            super::deserialize::deserialize! { TOKEN: #(#others),* }
        }
    });
    quote!(#imports #body #requested)
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
/// ```
///
/// and how it is read.
fn structure(title: &str, item: &Struct) -> TokenStream {
    let mut docs = item.doc.clone();
    if item.unverified {
        docs.push_str(
            "\n\nThis is as the documentation has it: no server that sends it was at hand.",
        );
    }
    let docs = doc(&docs);
    let name = ident(title);
    let fields = item.fields.iter().map(|field| {
        let docs = doc(&field_doc(field));
        let (name, ty) = (self::name(field), ty(field));
        quote!(#docs pub #name: #ty,)
    });
    let rest = match item.shape {
        Shape::Map => quote! {
            /// What a newer server sends besides, by name.
            pub rest: Vec<(String, Value)>,
        },
        Shape::Line | Shape::Lines => quote! {
            /// What a newer server sends besides, by name.
            pub rest: Vec<(String, Bytes)>,
        },
        _ if !has_rest(item) => quote! {
            /// What a newer server sends besides, in order.
            pub rest: Vec<Value>,
        },
        _ => TokenStream::new(),
    };
    let read = match item.shape {
        Shape::Line | Shape::Lines => in_text(&name, item),
        _ => decode(&name, item),
    };
    quote! {
        #docs
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct #name {
            #(#fields)*
            #rest
        }

        #read
    }
}

/// `Name, since 7.2.0.`
fn field_doc(field: &Field) -> String {
    let mut text = field.doc.clone();
    if let Some(first) = text.get(0..1) {
        text = format!("{}{}", first.to_uppercase(), &text[1..]);
    }
    if let Some(since) = &field.since {
        text.push_str(&format!(", since {since}"));
    }
    format!("{text}.")
}

/// The type of a field, in the module of the replies.
fn ty(item: &Field) -> TokenStream {
    let ty = item.parsed().unwrap_or(Type::Any);
    let rust = reply(&ty, true);
    match ty {
        Type::Optional(_) => rust,
        _ if item.optional => quote!(Option<#rust>),
        _ => rust,
    }
}

fn name(item: &Field) -> Ident {
    match &item.rust {
        Some(name) => ident(name),
        None => ident(&item.name.to_snake_case()),
    }
}

/// Whether one of the fields holds what is left.
fn has_rest(item: &Struct) -> bool {
    item.fields.iter().any(|field| field.rest)
}

/// ```text
/// impl Decode for ConsumerInfo {
///     #[inline]
///     fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
///         let mut parts = Fields::of(reply)?;
///         Ok(Self {
///             name: parts.required("name")?,
///             rest: parts.rest()?,
///         })
///     }
/// }
/// ```
fn decode(name: &Ident, item: &Struct) -> TokenStream {
    let source = match item.shape {
        Shape::Map => quote!(Fields),
        _ => quote!(Parts),
    };
    let value = value(item);
    quote! {
        impl Decode for #name {
            #[inline]
            fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
                let mut parts = #source::of(reply)?;
                #value
            }
        }
    }
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
///     #[inline]
///     fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
///         read_line(reply)
///     }
///
///     fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
///         read_lines(reply)
///     }
/// }
/// ```
fn in_text(name: &Ident, item: &Struct) -> TokenStream {
    let value = value(item);
    let between = |usual| {
        let between = item.between.unwrap_or(char::from(usual));
        Literal::byte_character(u8::try_from(between).unwrap_or(usual))
    };
    let (source, decode) = match item.shape {
        Shape::Line => {
            let between = between(b' ');
            let decode = quote! {
                #[inline]
                fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
                    read_line(reply)
                }

                #[inline]
                fn decode_list(reply: Reply<'_>) -> Result<Vec<Self>, DecodeError> {
                    read_lines(reply)
                }
            };
            (quote!(in_line(text, #between)), decode)
        }
        _ => {
            let decode = quote! {
                #[inline]
                fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
                    read_text(reply)
                }
            };
            let between = between(b'\n');
            (quote!(in_lines(text, #between)), decode)
        }
    };
    quote! {
        impl FromText for #name {
            fn from_text(text: &[u8]) -> Result<Self, DecodeError> {
                let mut parts = Fields::#source;
                #value
            }
        }

        impl Decode for #name {
            #decode
        }
    }
}

/// `Ok(Self { … })`, its fields taken out of `parts`.
fn value(item: &Struct) -> TokenStream {
    let fields = item.fields.iter().map(|field| {
        let (name, call) = (name(field), taken(field));
        quote!(#name: parts.#call?,)
    });
    let rest = (!has_rest(item)).then(|| quote!(rest: parts.rest()?,));
    quote!(Ok(Self { #(#fields)* #rest }))
}

/// `required("name")`
fn taken(field: &Field) -> TokenStream {
    let name = &field.name;
    match field {
        Field { rest: true, .. } => quote!(rest()),
        Field { each: true, .. } => quote!(each(#name)),
        Field { optional: true, .. } => quote!(optional(#name)),
        _ => quote!(required(#name)),
    }
}
