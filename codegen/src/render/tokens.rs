//! The smallest pieces of generated code: names, docs and literals.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use crate::spec::Provider;

/// A name of the model as an identifier: `key`, `r#type`, `self_`.
#[must_use]
pub fn ident(name: &str) -> Ident {
    let mut text: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) {
        text.insert(0, '_');
    }
    // These alone cannot be raw identifiers.
    if ["self", "Self", "super", "crate", "_"].contains(&text.as_str()) {
        text.push('_');
    }
    match KEYWORDS.contains(&text.as_str()) {
        true => Ident::new_raw(&text, Span::call_site()),
        false => Ident::new(&text, Span::call_site()),
    }
}

/// The names of type parameters, lifetimes left out: `A`, `B`.
#[must_use]
pub(super) fn idents<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<Ident> {
    names.into_iter().map(ident).collect()
}

/// `/// text`, a line for each line of `text`; what is too long is wrapped when it is laid out.
pub(super) fn doc(text: &str) -> TokenStream {
    let lines = text.lines().map(|line| match line {
        "" => String::new(),
        line => format!(" {line}"),
    });
    quote!(#(#[doc = #lines])*)
}

/// `b"GET"`
pub(super) fn bytes(word: &str) -> Literal {
    Literal::byte_string(word.as_bytes())
}

/// `Some("6.2.0")` or `None`
pub(super) fn optional(text: Option<&str>) -> TokenStream {
    match text {
        Some(text) => quote!(Some(#text)),
        None => quote!(None),
    }
}

/// `Some(Provider::Redis)` or `None`
pub(super) fn provider(provider: Option<Provider>) -> TokenStream {
    match provider {
        Some(Provider::Redis) => quote!(Some(Provider::Redis)),
        Some(Provider::Valkey) => quote!(Some(Provider::Valkey)),
        None => quote!(None),
    }
}

/// `(A,)`, `(A, B)`
pub(super) fn tuple(parts: &[TokenStream]) -> TokenStream {
    match parts {
        [one] => quote!((#one,)),
        several => quote!((#(#several),*)),
    }
}

/// `<'a, X>`, or nothing where there are no parameters.
pub(super) fn generics(parameters: &[TokenStream]) -> TokenStream {
    match parameters {
        [] => TokenStream::new(),
        several => quote!(<#(#several),*>),
    }
}

/// Words that are identifiers only with `r#` in front.
const KEYWORDS: [&str; 37] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "static", "struct", "trait", "true", "type", "unsafe", "use", "where",
    "while", "box", "override",
];
