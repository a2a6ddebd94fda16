//! What a call needs of a server, found out from the options that were given.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Arm, BlockModel, EnumModel, Need, NeedStep, Ty};

use super::tokens::{ident, optional, provider};

/// ```text
/// if self.get {
///     needs.add("GET", Some("6.2.0"), None);
/// }
/// if let Some(SetCondition::Ifeq(..)) = &self.condition {
///     needs.add("IFEQ ifeq-value", Some("8.4.0"), None);
/// }
/// self.operation.needs(&mut needs);
/// ```
pub(super) fn step(step: &NeedStep) -> TokenStream {
    match step {
        NeedStep::Always(need) => {
            let add = add(need);
            quote!(#add;)
        }
        NeedStep::Given { field, flag, need } => {
            let (field, add) = (ident(field), add(need));
            let given = (!flag).then(|| quote!(.is_some()));
            quote!(if self.#field #given { #add; })
        }
        NeedStep::Chosen { field, name, arms } => {
            let (field, name) = (ident(field), ident(name));
            let patterns: Vec<_> = arms
                .iter()
                .map(|arm| {
                    let pattern = pattern(arm);
                    (quote!(Some(#name::#pattern)), &arm.need)
                })
                .collect();
            choose(&quote!(&self.#field), &patterns, false)
        }
        NeedStep::Within {
            field, part, list, ..
        } => {
            let field = ident(field);
            let Some((count, at)) = part else {
                return within(&quote!(self.#field), true, *list, &quote!(&mut needs));
            };
            let names = (0..*count).map(|place| match place == *at {
                true => quote!(#field),
                false => quote!(_),
            });
            let pattern = match count {
                1 => quote!(#field),
                _ => quote!((#(#names),*)),
            };
            let within = within(&quote!(#field), false, *list, &quote!(&mut needs));
            quote!(if let Some(#pattern) = &self.#field { #within })
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
pub(super) fn of_enum(item: &EnumModel, needy: &BTreeSet<String>) -> TokenStream {
    let arms = item.arms();
    let patterns: Vec<_> = arms
        .iter()
        .map(|arm| {
            let pattern = pattern(arm);
            (quote!(Self::#pattern), &arm.need)
        })
        .collect();
    let chosen = (!patterns.is_empty()).then(|| {
        choose(
            &quote!(self),
            &patterns,
            patterns.len() == item.variants.len(),
        )
    });
    let inner = item.variants.iter().filter_map(|variant| {
        let mut parts = variant.fields.iter().filter(|(_, ty)| is_needy(ty, needy));
        let (Some((name, ty)), None) = (parts.next(), parts.next()) else {
            return None;
        };
        let (name, variant_name) = (ident(name), ident(&variant.name));
        let pattern = match &*variant.fields {
            [_] => quote!(Self::#variant_name(#name)),
            _ => quote!(Self::#variant_name { #name, .. }),
        };
        let within = within(&quote!(#name), false, is_list(ty), &quote!(needs));
        Some(quote!(if let #pattern = self { #within }))
    });
    function(&quote!(#chosen #(#inner)*))
}

/// The same of a block, for each of its parts that needs something.
pub(super) fn of_block(item: &BlockModel, needy: &BTreeSet<String>) -> TokenStream {
    let needs = quote!(needs);
    let required = item.required.iter().filter(|(_, ty)| is_needy(ty, needy));
    let required = required.map(|(name, ty)| {
        let name = ident(name);
        within(&quote!(self.#name), true, is_list(ty), &needs)
    });
    let newer = item.optional.iter().filter_map(|option| {
        let (name, add) = (ident(&option.name), add(&option.need()?));
        let given = (!option.parameters.is_empty()).then(|| quote!(.is_some()));
        Some(quote!(if self.#name #given { #add; }))
    });
    let optional = item.optional.iter().filter_map(|option| {
        let [only] = &*option.parameters else {
            return None;
        };
        let ty = Some(&only.ty).filter(|ty| is_needy(ty, needy))?;
        let name = ident(&option.name);
        let within = within(&quote!(#name), false, is_list(ty), &needs);
        Some(quote!(if let Some(#name) = &self.#name { #within }))
    });
    function(&quote!(#(#newer)* #(#required)* #(#optional)*))
}

fn function(body: &TokenStream) -> TokenStream {
    quote! {
        /// Adds what a server needs for it.
        pub fn needs(&self, needs: &mut Needs) {
            #body
        }
    }
}

fn is_list(ty: &Ty) -> bool {
    matches!(ty, Ty::List(_))
}

fn is_needy(ty: &Ty, needy: &BTreeSet<String>) -> bool {
    ty.named().is_some_and(|name| needy.contains(name))
}

/// `place.needs(needs);`, or that of each element.
fn within(place: &TokenStream, is_field: bool, list: bool, needs: &TokenStream) -> TokenStream {
    match (list, is_field) {
        (false, _) => quote!(#place.needs(#needs);),
        (true, true) => quote!(for item in &#place { item.needs(#needs); }),
        (true, false) => quote!(for item in #place { item.needs(#needs); }),
    }
}

/// A `match` with what each pattern needs, or an `if let` where there is only one.
fn choose(value: &TokenStream, patterns: &[(TokenStream, &Need)], all: bool) -> TokenStream {
    if let ([(pattern, need)], false) = (patterns, all) {
        let add = add(need);
        return quote!(if let #pattern = #value { #add; });
    }
    let arms = patterns.iter().map(|(pattern, need)| {
        let add = add(need);
        quote!(#pattern => #add,)
    });
    let rest = (!all).then(|| quote!(_ => {}));
    quote!(match #value { #(#arms)* #rest })
}

/// `needs.add("GET", Some("6.2.0"), None)`
fn add(need: &Need) -> TokenStream {
    let (what, since) = (&need.what, optional(need.since.as_deref()));
    let provider = provider(need.provider);
    quote!(needs.add(#what, #since, #provider))
}

/// `Nx`, `Ifeq(..)`, `Box { .. }`
fn pattern(arm: &Arm) -> TokenStream {
    let variant = ident(&arm.variant);
    match arm.fields {
        0 => quote!(#variant),
        1 => quote!(#variant(..)),
        _ => quote!(#variant { .. }),
    }
}
