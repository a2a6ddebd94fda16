//! Rust types of values and replies, and how parameters become fields.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{model::Ty, replies::Type};

use super::tokens::{ident, tuple};

/// The type of a field: `Arg<'a>`, `List<Arg<'a>>`, `SetCondition<'a>`.
pub(super) fn field(ty: &Ty) -> TokenStream {
    match ty {
        Ty::List(item) => {
            let item = element(item);
            quote!(List<#item>)
        }
        ty => single(ty),
    }
}

/// The type of an element of a list: `Arg<'a>`, `DoubleArg`, `IntegerArg`.
fn element(item: &Ty) -> TokenStream {
    match item {
        Ty::Double => quote!(DoubleArg),
        item if item.is_scalar() && !item.borrows() => quote!(IntegerArg),
        item => field(item),
    }
}

/// The type of a value that is no list.
fn single(ty: &Ty) -> TokenStream {
    match ty {
        Ty::Key | Ty::Text => quote!(Arg<'a>),
        Ty::Enum { name, borrows, .. } | Ty::Block { name, borrows } => named(name, *borrows),
        _ => quote!(Arg<'static>),
    }
}

/// `SetCondition<'a>`, `GeoUnit`
pub(super) fn named(name: &str, borrows: bool) -> TokenStream {
    let name = ident(name);
    match borrows {
        true => quote!(#name<'a>),
        false => quote!(#name),
    }
}

/// `impl Into<Arg<'a>>`, `impl Integer`, `impl IntoList<Arg<'a>, M>`.
///
/// `markers` collects the type parameters that lists need.
pub(super) fn parameter(ty: &Ty, markers: &mut Vec<TokenStream>) -> TokenStream {
    match ty {
        Ty::Enum { open: false, .. } => field(ty),
        Ty::List(item) => {
            let letter = ["M", "N", "O", "P"].get(markers.len()).unwrap_or(&"Q");
            let marker = ident(letter);
            markers.push(quote!(#marker));
            let item = element(item);
            quote!(impl IntoList<#item, #marker>)
        }
        ty => {
            let bound = bound(ty);
            quote!(impl #bound)
        }
    }
}

/// `impl Maybe<Arg<'a>>`, `impl Maybe<dyn Integer>`, of the only value of an option that may be left
/// out at run time; values of other types have other ways.
pub(super) fn maybe(ty: &Ty) -> Option<TokenStream> {
    match ty {
        Ty::Key | Ty::Text => Some(quote!(impl Maybe<Arg<'a>>)),
        Ty::Enum { .. } | Ty::Block { .. } | Ty::List(_) => None,
        number => {
            let bound = bound(number);
            Some(quote!(impl Maybe<dyn #bound>))
        }
    }
}

/// What converts into a value: `Into<Arg<'a>>`, `Into<GeoUnit>`, `Integer`.
pub(super) fn bound(ty: &Ty) -> TokenStream {
    match ty {
        Ty::Key | Ty::Text | Ty::Enum { .. } | Ty::Block { .. } => {
            let ty = field(ty);
            quote!(Into<#ty>)
        }
        Ty::Double => quote!(Double),
        Ty::Seconds => quote!(Seconds),
        Ty::Milliseconds => quote!(Milliseconds),
        Ty::UnixSeconds => quote!(UnixSeconds),
        Ty::UnixMilliseconds => quote!(UnixMilliseconds),
        Ty::Integer | Ty::List(_) => quote!(Integer),
    }
}

/// `key: impl Into<Arg<'a>>`, for each of several parameters.
pub(super) fn parameters<'p>(
    typed: impl IntoIterator<Item = (&'p str, &'p Ty)>,
    markers: &mut Vec<TokenStream>,
) -> Vec<TokenStream> {
    let each = typed.into_iter().map(|(name, ty)| {
        let (name, ty) = (ident(name), parameter(ty, markers));
        quote!(#name: #ty)
    });
    each.collect()
}

/// How a parameter becomes a field: `key.into()`.
pub(super) fn conversion(name: &str, ty: &Ty) -> TokenStream {
    let name = ident(name);
    match ty {
        Ty::Key | Ty::Text | Ty::Enum { open: true, .. } | Ty::Block { .. } => quote!(#name.into()),
        Ty::Enum { .. } => quote!(#name),
        Ty::List(_) => quote!(#name.into_list()),
        _ => quote!(#name.into_arg()),
    }
}

/// `key: key.into()`, or the short form where the value is the parameter itself.
pub(super) fn assignment(name: &str, ty: &Ty) -> TokenStream {
    let field = ident(name);
    match ty {
        Ty::Enum { open: false, .. } => quote!(#field),
        ty => {
            let value = conversion(name, ty);
            quote!(#field: #value)
        }
    }
}

/// The type of a reply: `Option<Bytes>`, `Vec<reply::ClientInfo>`. Where the module of the replies
/// is the file's own, the structs need no path.
pub(super) fn reply(ty: &Type, own: bool) -> TokenStream {
    let inner = |ty: &Type| reply(ty, own);
    match ty {
        Type::Ok | Type::None => quote!(()),
        Type::Status | Type::Text => quote!(String),
        Type::Int => quote!(i64),
        Type::Count => quote!(u64),
        Type::Bool => quote!(bool),
        Type::Double => quote!(f64),
        Type::Bulk => quote!(Bytes),
        Type::Optional(ty) if **ty == Type::Ok => quote!(bool),
        Type::Optional(ty) => {
            let ty = inner(ty);
            quote!(Option<#ty>)
        }
        Type::List(ty) => {
            let ty = inner(ty);
            quote!(Vec<#ty>)
        }
        Type::Set(ty) => {
            let ty = inner(ty);
            quote!(HashSet<#ty>)
        }
        Type::Map(key, value) => {
            let (key, value) = (inner(key), inner(value));
            quote!(HashMap<#key, #value>)
        }
        Type::Pairs(key, value) => {
            let (key, value) = (inner(key), inner(value));
            quote!(Vec<(#key, #value)>)
        }
        Type::Tuple(types) => tuple(&types.iter().map(inner).collect::<Vec<_>>()),
        Type::Scan(ty) => {
            let ty = inner(ty);
            quote!(ScanPage<#ty>)
        }
        Type::Entries => quote!(Vec<StreamEntry>),
        Type::Streams => quote!(Vec<(Bytes, Vec<StreamEntry>)>),
        Type::Scored => quote!(Vec<(Bytes, f64)>),
        Type::OneOrList(ty) => {
            let ty = inner(ty);
            quote!(OneOrMany<#ty>)
        }
        Type::OrError(ty) => {
            let ty = inner(ty);
            quote!(Result<#ty, Error>)
        }
        Type::Named(name) | Type::Laid(name, _) => {
            let name = ident(name);
            match own {
                true => quote!(#name),
                false => quote!(reply::#name),
            }
        }
        Type::Any | Type::Push => quote!(Value),
    }
}

/// How a reply is read: `Decode::decode(reply)`, or a special case: "`OK` or nil", and what the
/// path that was asked for decides.
pub(super) fn read(ty: &Type, path: &TokenStream) -> TokenStream {
    match ty {
        Type::OneOrList(_) if !path.is_empty() => quote!(OneOrMany::at(#path, reply)),
        Type::Optional(inner) if **inner == Type::Ok => quote!(reply::ok_or_nil(reply)),
        _ => quote!(Decode::decode(reply)),
    }
}
