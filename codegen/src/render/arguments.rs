//! The enums and blocks of arguments.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{
    model::{
        Alternative, BlockModel, BlockOption, EnumModel, Note, Parameter, Step, Ty, Types,
        VariantModel,
    },
    spec::Provider,
};

use super::{
    Root, needs,
    steps::{steps, value, words},
    tokens::{bytes, doc, generics, ident, idents},
    types::{assignment, bound, conversion, field, named, parameters},
};

/// All enums, then all blocks, of those that `wanted` lets through.
pub(super) fn all(
    types: &Types,
    needy: &BTreeSet<String>,
    root: Root,
    wanted: impl Fn(&BTreeSet<String>) -> bool,
) -> TokenStream {
    let enums = types.enums.values().filter(|item| wanted(&item.commands));
    let blocks = types.blocks.values().filter(|item| wanted(&item.commands));
    enums
        .map(|item| enumeration(item, needy))
        .chain(blocks.map(|item| block(item, needy, root)))
        .collect()
}

/// ```text
/// /// `NX | XX | IFEQ ifeq-value`, of [`Set`].
/// #[derive(Clone, Debug)]
/// #[non_exhaustive]
/// pub enum SetCondition<'a> {
///     /// `NX`
///     Nx,
///     /// `IFEQ ifeq-value`
///     Ifeq(Arg<'a>),
/// }
/// ```
///
/// with a constructor for each variant that holds something, and how it is written.
fn enumeration(item: &EnumModel, needy: &BTreeSet<String>) -> TokenStream {
    let users = users(&item.commands);
    let docs = doc(&match &item.doc {
        Some(doc) => format!("{doc}\n\nAn argument of {users}."),
        None => format!("One of the alternatives that {users} takes."),
    });
    let pure = item
        .variants
        .iter()
        .all(|variant| variant.fields.is_empty());
    let derived = match pure {
        true => quote!(#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]),
        false => quote!(#[derive(Clone, Debug)]),
    };
    let Head { name, of, any } = Head::new(&item.name, item.borrows());
    let variants = item.variants.iter().map(variant);
    let constructors = item
        .variants
        .iter()
        .filter(|variant| !variant.fields.is_empty())
        .map(constructor);
    let arms = item.variants.iter().map(arm);
    let needs = needy
        .contains(&item.name)
        .then(|| needs::of_enum(item, needy));
    let open = match item.open() {
        Some(open) => vec![from_value(item, open, &name)],
        None => item
            .variants
            .iter()
            .map(|variant| from_block(item, variant, &of, &name))
            .collect(),
    };
    quote! {
        #docs
        #derived
        #[non_exhaustive]
        pub enum #name {
            #(#variants)*
        }

        impl #of #name {
            #(#constructors)*

            /// Writes the words that are sent for it.
            pub fn write_words(&self, to: &mut Writer<'_>) {
                match self {
                    #(#arms)*
                }
            }

            #needs
        }

        impl Item for #any {}

        #(#open)*
    }
}

/// ```text
/// /// `IFEQ ifeq-value`
/// Ifeq(Arg<'a>),
/// ```
fn variant(variant: &VariantModel) -> TokenStream {
    let docs = doc(&said(&variant.note));
    let name = ident(&variant.name);
    match &*variant.fields {
        [] => quote!(#docs #name,),
        [(_, ty)] => {
            let ty = field(ty);
            quote!(#docs #name(#ty),)
        }
        fields => {
            let fields = fields.iter().map(|(name, ty)| {
                let docs = doc(&format!("The `{name}`."));
                let (name, ty) = (ident(name), field(ty));
                quote!(#docs #name: #ty,)
            });
            quote!(#docs #name { #(#fields)* },)
        }
    }
}

/// ```text
/// /// `IFEQ ifeq-value`
/// #[must_use]
/// pub fn ifeq(ifeq_value: impl Into<Arg<'a>>) -> Self {
///     Self::Ifeq(ifeq_value.into())
/// }
/// ```
fn constructor(variant: &VariantModel) -> TokenStream {
    let docs = doc(&said(&variant.note));
    let mut markers = Vec::new();
    let parameters = parameters(pairs(&variant.fields), &mut markers);
    let generics = generics(&markers);
    let (function, name) = (ident(&variant.constructor), ident(&variant.name));
    let value = match &*variant.fields {
        [(name_of_one, ty)] => {
            let value = conversion(name_of_one, ty);
            quote!(Self::#name(#value))
        }
        fields => {
            let fields = fields.iter().map(|(name, ty)| assignment(name, ty));
            quote!(Self::#name { #(#fields),* })
        }
    };
    quote! {
        #docs
        #[must_use]
        pub fn #function #generics(#(#parameters),*) -> Self {
            #value
        }
    }
}

/// `Self::Nx => to.word(b"NX"),` or a block of several steps.
fn arm(variant: &VariantModel) -> TokenStream {
    let name = ident(&variant.name);
    let fields = idents(variant.fields.iter().map(|(name, _)| &**name));
    let pattern = match &*fields {
        [] => quote!(Self::#name),
        [field] => quote!(Self::#name(#field)),
        fields => quote!(Self::#name { #(#fields),* }),
    };
    match (&*variant.before, &*variant.steps) {
        ([word], []) => {
            let word = bytes(word);
            quote!(#pattern => to.word(#word),)
        }
        ([], [Step::Value(place, ty)]) => {
            let value = value(place, ty);
            quote!(#pattern => #value,)
        }
        (before, after) => {
            let (before, after) = (words(before), steps(after));
            quote!(#pattern => { #before #after })
        }
    }
}

/// ```text
/// impl<'a, T: Into<Arg<'a>>> From<T> for TrimThreshold<'a> {
///     fn from(id: T) -> Self {
///         Self::Id(id.into())
///     }
/// }
/// ```
fn from_value(item: &EnumModel, open: &VariantModel, name: &TokenStream) -> Option<TokenStream> {
    let (field, ty) = open.fields.first()?;
    let (bound, value) = (bound(ty), conversion(field, ty));
    let lifetime = item.borrows().then(|| quote!('a,));
    let (variant, field) = (ident(&open.name), ident(field));
    Some(quote! {
        impl<#lifetime T: #bound> From<T> for #name {
            fn from(#field: T) -> Self {
                Self::#variant(#value)
            }
        }
    })
}

/// ```text
/// impl<'a> From<Rrf<'a>> for HybridCombine<'a> {
///     fn from(rrf: Rrf<'a>) -> Self {
///         Self::Rrf(rrf)
///     }
/// }
/// ```
fn from_block(
    item: &EnumModel,
    variant: &VariantModel,
    of: &TokenStream,
    name: &TokenStream,
) -> Option<TokenStream> {
    let [(field, ty @ Ty::Block { .. })] = &*variant.fields else {
        return None;
    };
    let is_other = |other: &&VariantModel| other.fields == variant.fields;
    if item.variants.iter().filter(is_other).count() > 1 {
        return None;
    }
    let (block, field) = (self::field(ty), ident(field));
    let variant = ident(&variant.name);
    Some(quote! {
        impl #of From<#block> for #name {
            fn from(#field: #block) -> Self {
                Self::#variant(#field)
            }
        }
    })
}

/// ```text
/// /// `score member`, a part of `ZADD`.
/// #[derive(Clone, Debug)]
/// pub struct ScoreMember<'a> {
///     pub(crate) score: Arg<'static>,
///     pub(crate) member: Arg<'a>,
/// }
/// ```
///
/// with `new`, a setter for each optional part, and conversions from tuples.
fn block(item: &BlockModel, needy: &BTreeSet<String>, root: Root) -> TokenStream {
    let syntax = format!("`{}`, a part of {}.", item.syntax, users(&item.commands));
    let mut text = match &item.doc {
        Some(doc) => format!("{doc}\n\n{syntax}"),
        None => syntax,
    };
    let is_list = |ty: &Ty| matches!(ty, Ty::List(_));
    let several = item.required.len() > 1 && !item.required.iter().any(|(_, ty)| is_list(ty));
    if several {
        let names: Vec<_> = item.required.iter().map(|(name, _)| &**name).collect();
        text.push_str(&format!(
            "\n\nA tuple `({})` converts into it.",
            names.join(", ")
        ));
    }
    let docs = doc(&text);
    let Head { name, of, any } = Head::new(&item.name, item.borrows());
    let required = item.required.iter().map(|(name, ty)| {
        let (name, ty) = (ident(name), field(ty));
        quote!(pub(crate) #name: #ty,)
    });
    let optional = item.optional.iter().map(|option| {
        let name = ident(&option.name);
        let types = option.parameters.iter().map(|item| field(&item.ty));
        match &*types.collect::<Vec<_>>() {
            [] => quote!(#name: bool,),
            [one] => quote!(#name: Option<#one>,),
            several => quote!(#name: Option<(#(#several),*)>,),
        }
    });
    let new = block_new(item);
    let alternatives = item
        .alternatives
        .iter()
        .map(|alternative| block_of(item, alternative));
    let setters = item.optional.iter().map(block_setter);
    let default = item.required.is_empty().then(|| quote!(, Default));
    // A row is written column by column by its command.
    let write = (!item.steps.is_empty()).then(|| {
        let steps = steps(&item.steps);
        quote! {
            /// Writes the words that are sent for it.
            pub fn write_words(&self, to: &mut Writer<'_>) {
                #steps
            }
        }
    });
    let needs = needy
        .contains(&item.name)
        .then(|| needs::of_block(item, needy));
    let conversions = match several {
        true => tuple_conversions(item, &name),
        false => value_conversions(item, &name, root),
    };
    quote! {
        #docs
        #[derive(Clone, Debug #default)]
        pub struct #name {
            #(#required)*
            #(#optional)*
        }

        impl #of #name {
            #new
            #(#alternatives)*
            #(#setters)*
            #write
            #needs
        }

        impl Item for #any {}

        #conversions
    }
}

/// ```text
/// /// `score member`
/// #[must_use]
/// pub fn new(score: impl Double, member: impl Into<Arg<'a>>) -> Self {
///     Self { score: score.into_arg(), member: member.into() }
/// }
/// ```
fn block_new(item: &BlockModel) -> TokenStream {
    let docs = doc(&format!("`{}`", item.syntax));
    let mut markers = Vec::new();
    let parameters = parameters(pairs(&item.required), &mut markers);
    let generics = generics(&markers);
    let required = item.required.iter().map(|(name, ty)| assignment(name, ty));
    let optional = item.optional.iter().map(|option| {
        let name = ident(&option.name);
        match option.parameters.is_empty() {
            true => quote!(#name: false),
            false => quote!(#name: None),
        }
    });
    let fields = required.chain(optional);
    quote! {
        #docs
        #[must_use]
        pub fn new #generics(#(#parameters),*) -> Self {
            Self { #(#fields),* }
        }
    }
}

/// ```text
/// /// `SUM 1 property`
/// #[must_use]
/// pub fn sum(property: impl Into<Arg<'a>>) -> Self {
///     Self::new(ReducerFunction::Sum(property.into()))
/// }
/// ```
fn block_of(item: &BlockModel, alternative: &Alternative) -> TokenStream {
    let Some((_, Ty::Enum { name, .. })) = item.required.first() else {
        return TokenStream::new();
    };
    let docs = doc(&said(&alternative.note));
    let mut markers = Vec::new();
    let parameters = parameters(typed(&alternative.parameters), &mut markers);
    let generics = generics(&markers);
    let (function, value) = (
        ident(&alternative.setter),
        alternative_value(name, alternative),
    );
    quote! {
        #docs
        #[must_use]
        pub fn #function #generics(#(#parameters),*) -> Self {
            Self::new(#value)
        }
    }
}

/// `FtSearchSort::Desc`, `Reach::Knn(knn.into())`, `Step::Apply { expression: expression.into(), … }`
pub(super) fn alternative_value(name: &str, alternative: &Alternative) -> TokenStream {
    let (name, variant) = (ident(name), ident(&alternative.variant));
    match &*alternative.parameters {
        [] => quote!(#name::#variant),
        [one] => {
            let value = conversion(&one.name, &one.ty);
            quote!(#name::#variant(#value))
        }
        several => {
            let fields = several.iter().map(|item| assignment(&item.name, &item.ty));
            quote!(#name::#variant { #(#fields),* })
        }
    }
}

/// ```text
/// /// `[COUNT count]`
/// #[must_use]
/// pub fn count(mut self, count: impl Integer) -> Self {
///     self.count = Some(count.into_arg());
///     self
/// }
/// ```
///
/// and one for each alternative, such as `asc` and `desc` besides `order`.
fn block_setter(option: &BlockOption) -> TokenStream {
    let docs = doc(&format!("`{}`", option.syntax));
    let mut markers = Vec::new();
    let parameters = parameters(typed(&option.parameters), &mut markers);
    let generics = generics(&markers);
    let values = option.parameters.iter();
    let values: Vec<_> = values
        .map(|item| conversion(&item.name, &item.ty))
        .collect();
    let value = match &*values {
        [] => quote!(true),
        [one] => quote!(Some(#one)),
        several => quote!(Some((#(#several),*))),
    };
    let alternatives = option.alternatives.iter().map(|alternative| {
        let Some(Ty::Enum { name, .. }) = option.parameters.first().map(|item| &item.ty) else {
            return TokenStream::new();
        };
        let docs = doc(&said(&alternative.note));
        let mut markers = Vec::new();
        let parameters = self::parameters(typed(&alternative.parameters), &mut markers);
        let generics = self::generics(&markers);
        let (setter, field) = (ident(&alternative.setter), ident(&option.name));
        let value = alternative_value(name, alternative);
        quote! {
            #docs
            #[must_use]
            pub fn #setter #generics(mut self #(, #parameters)*) -> Self {
                self.#field = Some(#value);
                self
            }
        }
    });
    let name = ident(&option.name);
    quote! {
        #docs
        #[must_use]
        pub fn #name #generics(mut self #(, #parameters)*) -> Self {
            self.#name = #value;
            self
        }
        #(#alternatives)*
    }
}

/// ```text
/// impl<'a, T: Into<Arg<'a>>> From<T> for FieldAs<'a> {
///     fn from(identifier: T) -> Self {
///         Self::new(identifier)
///     }
/// }
///
/// impl<'a, A, B> From<(A, B)> for FieldAs<'a>
/// where
///     A: Into<Arg<'a>>,
///     B: Into<Arg<'a>>,
/// {
///     fn from((identifier, alias): (A, B)) -> Self {
///         Self::new(identifier).alias(alias)
///     }
/// }
/// ```
///
/// of the only value that is required, and of a tuple of it and the only option.
fn value_conversions(item: &BlockModel, name: &TokenStream, root: Root) -> TokenStream {
    let [(field, ty)] = &*item.required else {
        return TokenStream::new();
    };
    if !ty.is_scalar() || item.optional.is_empty() {
        return TokenStream::new();
    }
    let lifetime = item.borrows().then(|| quote!('a,));
    let (field, bound) = (ident(field), self::bound(ty));
    // In a crate of a user the compiler cannot know that no tuple is a value.
    let pair = match (&*item.optional, root) {
        ([option], Root::Client) if option.parameters.len() == 1 => {
            let other = &option.parameters[0];
            let (setter, bound_of_other) = (ident(&option.name), self::bound(&other.ty));
            let value = match &other.ty {
                Ty::Enum { open: false, .. } => quote!(#setter.into()),
                _ => quote!(#setter),
            };
            quote! {
                impl<#lifetime A, B> From<(A, B)> for #name
                where
                    A: #bound,
                    B: #bound_of_other,
                {
                    fn from((#field, #setter): (A, B)) -> Self {
                        Self::new(#field).#setter(#value)
                    }
                }
            }
        }
        _ => TokenStream::new(),
    };
    quote! {
        impl<#lifetime T: #bound> From<T> for #name {
            fn from(#field: T) -> Self {
                Self::new(#field)
            }
        }
        #pair
    }
}

/// ```text
/// impl<'a, A, B> From<(A, B)> for ScoreMember<'a>
/// where
///     A: Double,
///     B: Into<Arg<'a>>,
/// {
///     fn from((score, member): (A, B)) -> Self {
///         Self::new(score, member)
///     }
/// }
/// ```
///
/// and the same from a reference to a tuple.
fn tuple_conversions(item: &BlockModel, name: &TokenStream) -> TokenStream {
    const LETTERS: [&str; 5] = ["A", "B", "C", "D", "E"];
    if item.required.len() > LETTERS.len() {
        return TokenStream::new();
    }
    let letters = idents(LETTERS.into_iter().take(item.required.len()));
    let names = idents(item.required.iter().map(|(name, _)| &**name));
    let bounds: Vec<_> = item.required.iter().map(|(_, ty)| bound(ty)).collect();
    let values: Vec<_> = item
        .required
        .iter()
        .map(|(name, ty)| match (ident(name), ty) {
            (name, Ty::Enum { open: false, .. }) => quote!(#name.into()),
            (name, _) => quote!(#name),
        })
        .collect();
    let lifetime = item.borrows().then(|| quote!('a,));
    let by_value = quote! {
        impl<#lifetime #(#letters),*> From<(#(#letters),*)> for #name
        where
            #(#letters: #bounds,)*
        {
            fn from((#(#names),*): (#(#letters),*)) -> Self {
                Self::new(#(#values),*)
            }
        }
    };
    // An enum by reference would have to be cloned by its caller.
    let by_reference = item.required.iter().all(|(_, ty)| ty.is_scalar()).then(|| {
        quote! {
            impl<#lifetime 'b, #(#letters),*> From<&'b (#(#letters),*)> for #name
            where
                #(&'b #letters: #bounds,)*
            {
                fn from((#(#names),*): &'b (#(#letters),*)) -> Self {
                    Self::new(#(#values),*)
                }
            }
        }
    });
    quote!(#by_value #by_reference)
}

/// How a type is named in its definition and in the `impl`s of it.
struct Head {
    /// `SetCondition<'a>`
    name: TokenStream,
    /// `<'a>`
    of: TokenStream,
    /// `SetCondition<'_>`
    any: TokenStream,
}

impl Head {
    fn new(name: &str, borrows: bool) -> Self {
        let bare = ident(name);
        let (of, any) = match borrows {
            true => (quote!(<'a>), quote!(<'_>)),
            false => Default::default(),
        };
        Self {
            name: named(name, borrows),
            of,
            any: quote!(#bare #any),
        }
    }
}

fn typed(parameters: &[Parameter]) -> impl Iterator<Item = (&str, &Ty)> {
    parameters.iter().map(|item| (&*item.name, &item.ty))
}

fn pairs(fields: &[(String, Ty)]) -> impl Iterator<Item = (&str, &Ty)> {
    fields.iter().map(|(name, ty)| (&**name, ty))
}

/// Which commands use a type, at most three by name.
fn users(commands: &BTreeSet<String>) -> String {
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

/// An argument's syntax with who has it, since when, and until when it was the thing to use.
pub(super) fn said(note: &Note) -> String {
    let mut text = format!("`{}`", note.syntax);
    match note.provider {
        Some(Provider::Valkey) => text.push_str(", Valkey only"),
        Some(Provider::Redis) => text.push_str(", Redis only"),
        None => {}
    }
    if let Some(since) = &note.since {
        text.push_str(&format!(", since {since}"));
    }
    if let Some(deprecated) = &note.deprecated {
        text.push_str(&format!(", deprecated by Redis since {deprecated}"));
    }
    text
}
