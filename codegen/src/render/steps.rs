//! How a command, an alternative or a block writes itself.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Condition, ListStep, Place, Step, Ty};

use super::tokens::{bytes, ident};

/// The statements that write what the steps say.
pub(super) fn steps(steps: &[Step]) -> TokenStream {
    steps.iter().map(step).collect()
}

/// The same for a command, which tells where a part ends if one follows that is always there. Behind
/// the others the end of the command is as good a place.
///
/// ```text
/// self.key.write_key(to);
/// to.part("key");
/// ```
pub(super) fn parts(steps: &[Step]) -> TokenStream {
    let named = steps.iter().enumerate().map(|(at, step)| {
        let rest = steps.get(at + 1..).unwrap_or_default();
        let is_followed = rest
            .iter()
            .any(|next| !is_option(next) && field(next) != field(step));
        let end = field(step)
            .filter(|_| is_followed)
            .map(|name| quote!(to.part(#name);));
        let step = self::step(step);
        quote!(#step #end)
    });
    named.collect()
}

/// Whether a step may write nothing.
fn is_option(step: &Step) -> bool {
    matches!(
        step,
        Step::Flag(..) | Step::Optional(..) | Step::When(Condition::Set(_), _)
    )
}

/// The field that a step writes, by which its part is known.
fn field(step: &Step) -> Option<&str> {
    match step {
        Step::Value(Place::Field(field), _)
        | Step::Flag(field, _)
        | Step::Optional(field, ..)
        | Step::When(Condition::Set(field) | Condition::Absent(field), _) => Some(field),
        Step::List(list) => match &list.list {
            Place::Field(field) | Place::Bound(field) => Some(field),
        },
        Step::Words(_) | Step::Value(Place::Bound(_), _) | Step::Counted(_) => None,
    }
}

fn step(step: &Step) -> TokenStream {
    match step {
        Step::Words(words) => self::words(words),
        Step::Value(place, ty) => {
            let value = value(place, ty);
            quote!(#value;)
        }
        Step::Flag(field, words) => {
            let (field, words) = (ident(field), self::words(words));
            quote!(if self.#field { #words })
        }
        Step::Counted(inner) => {
            let inner = steps(inner);
            quote!(to.counted(|to| { #inner });)
        }
        Step::When(condition, inner) => {
            let condition = match condition {
                Condition::Set(field) => {
                    let field = ident(field);
                    quote!(self.#field)
                }
                Condition::Absent(field) => {
                    let field = ident(field);
                    quote!(self.#field.is_none())
                }
            };
            let inner = steps(inner);
            quote!(if #condition { #inner })
        }
        Step::Optional(field, binds, inner) => {
            let (field, inner) = (ident(field), steps(inner));
            let binds: Vec<_> = binds.iter().map(|name| ident(name)).collect();
            let pattern = match &*binds {
                [one] => quote!(#one),
                several => quote!((#(#several),*)),
            };
            quote!(if let Some(#pattern) = &self.#field { #inner })
        }
        Step::List(list) => list_step(list),
    }
}

/// `to.word(b"NX");`
pub(super) fn words(words: &[String]) -> TokenStream {
    let words = words.iter().map(|word| bytes(word));
    quote!(#(to.word(#words);)*)
}

/// `self.key.write_key(to)`
pub(super) fn value(place: &Place, ty: &Ty) -> TokenStream {
    let (place, writer) = (self::place(place), writer(ty));
    quote!(#place.#writer(to))
}

/// `self.key`, `key`
fn place(place: &Place) -> TokenStream {
    match place {
        Place::Field(name) => {
            let name = ident(name);
            quote!(self.#name)
        }
        Place::Bound(name) => {
            let name = ident(name);
            quote!(#name)
        }
    }
}

/// The method that writes a value of the type.
fn writer(ty: &Ty) -> TokenStream {
    match ty {
        Ty::Key => quote!(write_key),
        // `write` may be the name of an alternative.
        Ty::Enum { .. } | Ty::Block { .. } => quote!(write_words),
        _ => quote!(write),
    }
}

/// ```text
/// self.keys.require("key", to);
/// to.unsigned(self.keys.len() as u64);
/// for item in &self.keys {
///     item.write_key(to);
/// }
/// ```
fn list_step(list: &ListStep) -> TokenStream {
    let place = place(&list.list);
    let by_reference = match list.list {
        Place::Field(_) => quote!(&#place),
        Place::Bound(_) => place.clone(),
    };
    let require = (!list.may_be_empty).then(|| {
        let noun = &list.noun;
        quote!(#place.require(#noun, to);)
    });
    let before = words(&list.before);
    let count = list
        .counted
        .then(|| quote!(to.unsigned(#place.len() as u64);));
    let rows = list.columns.is_empty().then(|| {
        let (words, writer) = (words(&list.before_each), writer(&list.item));
        quote!(for item in #by_reference { #words item.#writer(to); })
    });
    let columns = list.columns.iter().map(|(name, ty)| {
        let (name, writer) = (ident(name), writer(ty));
        quote!(for item in #by_reference { item.#name.#writer(to); })
    });
    quote!(#require #before #count #rows #(#columns)*)
}
