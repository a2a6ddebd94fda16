//! The struct of a command, its setters, what makes it a command, its method and its constructor.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::{
    load::Spec,
    model::{
        Alternative, CommandModel, FieldKind, LayoutKind, LayoutOption, NamesModel, Opt, OptKind,
        Parameter, PatienceModel, ReplyModel, State, Ty,
    },
    replies::Type,
    spec::Unit,
};

use super::{
    arguments::{alternative_value, said},
    docs,
    info::constant,
    needs,
    steps::parts,
    tokens::{doc, generics, ident, tuple},
    types::{self, conversion, field, named, read, reply},
};

/// The type parameters of the slots; the letters that other parameters use are left out.
const LETTERS: [&str; 20] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "Q", "R", "T", "U", "V", "W", "Y",
    "Z",
];

/// Everything of one command that stands at the level of its module.
pub(super) fn command(command: &CommandModel, spec: &Spec) -> TokenStream {
    let shape = Shape::new(command);
    let parts = [
        structure(command, &shape, spec),
        new(command, &shape),
        enter(command, &shape),
        setters(command, &shape),
        reply_states(command),
        behaviour(command, &shape),
    ];
    parts.into_iter().collect()
}

/// How the type of a command is written.
struct Shape {
    /// Its name.
    name: Ident,
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
            name: ident(&command.type_name),
            borrows,
            slots: command.slots.len(),
        }
    }

    /// `<'a, X, A, C>`, for an `impl` whose slots have these parameters.
    fn generics(&self, letters: &[TokenStream]) -> TokenStream {
        let lifetime = self.borrows.then(|| quote!('a,));
        quote!(<#lifetime X #(, #letters)*>)
    }

    /// `Set<'a, X, (A, Open, C)>`
    fn with_state(&self, state: &TokenStream) -> TokenStream {
        let (name, lifetime) = (&self.name, self.borrows.then(|| quote!('a,)));
        match self.slots {
            0 => quote!(#name<#lifetime X>),
            _ => quote!(#name<#lifetime X, #state>),
        }
    }

    /// `Set<'_, X, S>`
    fn anonymous(&self) -> TokenStream {
        let (name, lifetime) = (&self.name, self.borrows.then(|| quote!('_,)));
        let state = self.state();
        quote!(#name<#lifetime X #(, #state)*>)
    }

    /// `S`, where there are slots.
    fn state(&self) -> Vec<TokenStream> {
        match self.slots {
            0 => Vec::new(),
            _ => vec![quote!(S)],
        }
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
fn structure(command: &CommandModel, shape: &Shape, spec: &Spec) -> TokenStream {
    let docs = doc(&docs::command(command, spec));
    let (name, lifetime) = (&shape.name, shape.borrows.then(|| quote!('a,)));
    let fields = command.fields.iter().map(|item| {
        let name = ident(&item.name);
        let ty = match &item.kind {
            FieldKind::Required(ty) => field(ty),
            FieldKind::Flag => quote!(bool),
            FieldKind::Optional(types) => match &*types.iter().map(field).collect::<Vec<_>>() {
                [one] => quote!(Option<#one>),
                several => quote!(Option<(#(#several),*)>),
            },
        };
        quote!(#name: #ty,)
    });
    let (state, marker) = match shape.slots {
        0 => Default::default(),
        slots => {
            let open = tuple(&vec![quote!(Open); slots]);
            (quote!(, S = #open), quote!(state: PhantomData<fn() -> S>,))
        }
    };
    quote! {
        #docs
        #[derive(Clone)]
        #[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
        pub struct #name<#lifetime X = Detached #state> {
            via: X,
            #(#fields)*
            #marker
        }
    }
}

/// ```text
/// impl<'a, X> Set<'a, X> {
///     fn new(via: X, key: Arg<'a>, value: Arg<'a>) -> Self {
///         Self { via, key, value, condition: None, get: false, state: PhantomData }
///     }
/// }
/// ```
fn new(command: &CommandModel, shape: &Shape) -> TokenStream {
    let (name, lifetime) = (&shape.name, shape.borrows.then(|| quote!('a,)));
    let parameters = command.parameters.iter().map(|item| {
        let (name, ty) = (ident(&item.name), field(&item.ty));
        quote!(#name: #ty)
    });
    let fields = command.fields.iter().map(|item| {
        let name = ident(&item.name);
        match item.kind {
            FieldKind::Required(_) => quote!(#name),
            FieldKind::Flag => quote!(#name: false),
            FieldKind::Optional(_) => quote!(#name: None),
        }
    });
    let marker = (shape.slots > 0).then(|| quote!(, state: PhantomData));
    quote! {
        impl<#lifetime X> #name<#lifetime X> {
            fn new(via: X #(, #parameters)*) -> Self {
                Self { via #(, #fields)* #marker }
            }
        }
    }
}

/// ```text
/// impl<'a, X, S> Set<'a, X, S> {
///     fn enter<N>(self) -> Set<'a, X, N> {
///         Set { via: self.via, key: self.key, value: self.value, state: PhantomData }
///     }
/// }
/// ```
fn enter(command: &CommandModel, shape: &Shape) -> TokenStream {
    if shape.slots == 0 {
        return TokenStream::new();
    }
    let (generics, own) = (shape.generics(&[quote!(S)]), shape.with_state(&quote!(S)));
    let (name, next) = (&shape.name, shape.with_state(&quote!(N)));
    let fields = command.fields.iter().map(|item| {
        let name = ident(&item.name);
        quote!(#name: self.#name,)
    });
    quote! {
        impl #generics #own {
            fn enter<N>(self) -> #next {
                #name { via: self.via, #(#fields)* state: PhantomData }
            }
        }
    }
}

/// An `impl` with the setters that are always there, and one for each option that is there only in
/// some states.
fn setters(command: &CommandModel, shape: &Shape) -> TokenStream {
    let of = |option| Setters { shape, option };
    let (free, bound): (Vec<_>, Vec<_>) = command
        .options
        .iter()
        .partition(|option| option.slot.is_none() && option.after.is_none());
    let free = (!free.is_empty()).then(|| {
        let setters = free.into_iter().map(|option| of(option).all());
        let generics = shape.generics(&shape.state());
        let own = shape.with_state(&quote!(S));
        quote!(impl #generics #own { #(#setters)* })
    });
    let bound = bound.into_iter().map(|option| {
        let (states, letters) = of(option).states(None);
        let generics = shape.generics(&letters);
        let own = shape.with_state(&states);
        let setters = of(option).all();
        quote!(impl #generics #own { #setters })
    });
    quote!(#free #(#bound)*)
}

/// The setters of one option.
struct Setters<'m> {
    shape: &'m Shape,
    option: &'m Opt,
}

impl Setters<'_> {
    fn all(&self) -> TokenStream {
        let note = &self.option.note;
        match &self.option.kind {
            OptKind::Flag { setter } => self.one(&said(note), setter, &[], &quote!(true), 0),
            OptKind::Values {
                setter,
                parameters,
                by_token,
                sends_empty,
            } => {
                let values: Vec<_> = parameters
                    .iter()
                    .map(|item| conversion(&item.name, &item.ty))
                    .collect();
                let value = match (&*values, parameters.first().map(|item| &item.ty)) {
                    // An empty list is as good as none, and a second one goes on where the first
                    // ended.
                    ([one], Some(Ty::List(_))) if !sends_empty => {
                        let (target, field) = (self.target(), ident(&self.option.field));
                        quote!(#one.after(#target.#field.take()))
                    }
                    ([one], _) => quote!(Some(#one)),
                    (several, _) => quote!(Some((#(#several),*))),
                };
                let plain = match self.left_out(parameters, |value| value) {
                    Some((parameter, value)) => {
                        let docs = format!("{}; `None` leaves it out.", said(note));
                        self.fill(&docs, setter, &[], &[parameter], &value, 0)
                    }
                    None => self.one(&said(note), setter, parameters, &value, 0),
                };
                let by_token = by_token.iter().map(|token| {
                    let (name, variant) = (ident(&token.name), ident(&token.variant));
                    let behind = parameters.get(1..).unwrap_or_default();
                    let with_token = |value| {
                        let of_value = ident(behind.first().map_or("", |it| &it.name));
                        quote!(#value.map(|#of_value| (#name::#variant, #of_value)))
                    };
                    if let Some((parameter, value)) = self.left_out(behind, with_token) {
                        let docs = format!(
                            "`{}` of `{}`; `None` leaves it out.",
                            token.syntax, note.syntax
                        );
                        return self.fill(&docs, &token.setter, &[], &[parameter], &value, 0);
                    }
                    let rest = values.get(1..).unwrap_or_default();
                    let value = quote!(Some((#name::#variant #(, #rest)*)));
                    let docs = format!("`{}` of `{}`", token.syntax, note.syntax);
                    let parameters = parameters.get(1..).unwrap_or_default();
                    self.one(&docs, &token.setter, parameters, &value, 0)
                });
                let pair = self.pair_left_out(setter, parameters);
                quote!(#plain #(#by_token)* #pair)
            }
            OptKind::Steps { name, alternatives } => alternatives
                .iter()
                .map(|alternative| self.step(name, alternative))
                .collect(),
            OptKind::Choice {
                name,
                borrows,
                setter,
                nullable,
                alternatives,
            } => {
                let each = alternatives
                    .iter()
                    .map(|alternative| self.alternative(name, alternative));
                let at_run_time = setter
                    .as_ref()
                    .map(|setter| self.at_run_time(name, *borrows, setter, *nullable));
                quote!(#(#each)* #at_run_time)
            }
        }
    }

    /// `count: impl Maybe<dyn Integer>` and what is assigned, `count.or_none()`: the only value of an
    /// option that may be left out at run time, since the reply does not depend on it.
    fn left_out(
        &self,
        parameters: &[Parameter],
        value: impl FnOnce(TokenStream) -> TokenStream,
    ) -> Option<(TokenStream, TokenStream)> {
        let [one] = parameters else {
            return None;
        };
        let ty = types::maybe(&one.ty).filter(|_| !self.option.decides)?;
        let name = ident(&one.name);
        Some((quote!(#name: #ty), value(quote!(#name.or_none()))))
    }

    /// The setter that takes several values at once, where the one that takes one after the other
    /// changes the type of the command, so that no `if` could leave it out.
    ///
    /// ```text
    /// /// `start end`, or `None`, which leaves it out.
    /// pub fn maybe_range(
    ///     self,
    ///     range: Option<(impl Integer, impl Integer)>,
    /// ) -> Bitcount<'a, X, (Given,)>
    /// where
    ///     A: NotGiven,
    /// {
    ///     let mut next = self.enter();
    ///     next.range = range.map(|(start, end)| (start.into_arg(), end.into_arg()));
    ///     next
    /// }
    /// ```
    fn pair_left_out(&self, setter: &str, parameters: &[Parameter]) -> Option<TokenStream> {
        let changes_type = self.option.slot.is_some() && !self.option.decides;
        let is_left_out = match parameters {
            [one] => types::maybe(&one.ty).is_some() || matches!(one.ty, Ty::List(_)),
            _ => false,
        };
        if !changes_type || is_left_out {
            return None;
        }
        let mut markers = Vec::new();
        let types: Vec<_> = parameters
            .iter()
            .map(|item| types::parameter(&item.ty, &mut markers))
            .collect();
        let names: Vec<_> = parameters.iter().map(|item| ident(&item.name)).collect();
        let values: Vec<_> = parameters
            .iter()
            .map(|item| conversion(&item.name, &item.ty))
            .collect();
        let given = ident(setter);
        let (ty, value) = match (&*types, &*names, &*values) {
            ([ty], [name], [value]) => (quote!(#ty), quote!(#given.map(|#name| #value))),
            _ => (
                quote!((#(#types),*)),
                quote!(#given.map(|(#(#names),*)| (#(#values),*))),
            ),
        };
        let docs = format!(
            "{}, or `None`, which leaves it out.",
            said(&self.option.note)
        );
        let parameter = quote!(#given: Option<#ty>);
        let setter = format!("maybe_{setter}");
        Some(self.fill(&docs, &setter, &markers, &[parameter], &value, 0))
    }

    /// ```text
    /// /// `IFEQ ifeq-value`
    /// pub fn ifeq(self, ifeq_value: impl Into<Arg<'a>>) -> Set<'a, X, (Given, B, C)>
    /// where
    ///     A: NotGiven,
    /// {
    ///     let mut next = self.enter();
    ///     next.condition = Some(SetCondition::Ifeq(ifeq_value.into()));
    ///     next
    /// }
    /// ```
    fn alternative(&self, name: &str, alternative: &Alternative) -> TokenStream {
        let value = alternative_value(name, alternative);
        let value = quote!(Some(#value));
        self.one(
            &said(&alternative.note),
            &alternative.setter,
            &alternative.parameters,
            &value,
            alternative.state,
        )
    }

    /// ```text
    /// /// `FILTER filter`
    /// pub fn filter(mut self, filter: impl Into<Arg<'a>>) -> Self {
    ///     self.step = Some(List::with(
    ///         self.step.take(),
    ///         FtAggregateStep::Filter(filter.into()),
    ///     ));
    ///     self
    /// }
    /// ```
    fn step(&self, name: &str, alternative: &Alternative) -> TokenStream {
        let (field, value) = (
            ident(&self.option.field),
            alternative_value(name, alternative),
        );
        self.one(
            &said(&alternative.note),
            &alternative.setter,
            &alternative.parameters,
            &quote!(Some(List::with(self.#field.take(), #value))),
            alternative.state,
        )
    }

    /// ```text
    /// /// `NX | XX`, chosen at run time; `None` leaves it out.
    /// pub fn condition(
    ///     self,
    ///     condition: impl Into<Option<SetCondition<'a>>>,
    /// ) -> Set<'a, X, (Given, B, C)>
    /// where
    ///     A: NotGiven,
    /// {
    ///     let mut next = self.enter();
    ///     next.condition = condition.into();
    ///     next
    /// }
    /// ```
    fn at_run_time(&self, name: &str, borrows: bool, setter: &str, nullable: bool) -> TokenStream {
        let (ty, parameter) = (named(name, borrows), ident(setter));
        let syntax = &self.option.note.syntax;
        let (docs, ty, value) = match nullable {
            true => (
                format!("`{syntax}`, chosen at run time; `None` leaves it out."),
                quote!(impl Into<Option<#ty>>),
                quote!(#parameter.into()),
            ),
            false => (
                format!("`{syntax}`, chosen at run time."),
                ty,
                quote!(Some(#parameter)),
            ),
        };
        self.fill(&docs, setter, &[], &[quote!(#parameter: #ty)], &value, 0)
    }

    fn one(
        &self,
        docs: &str,
        setter: &str,
        parameters: &[Parameter],
        value: &TokenStream,
        state: u8,
    ) -> TokenStream {
        let mut markers = Vec::new();
        let typed = parameters.iter().map(|item| (&*item.name, &item.ty));
        let parameters = types::parameters(typed, &mut markers);
        self.fill(docs, setter, &markers, &parameters, value, state)
    }

    /// ```text
    /// /// `NX`
    /// pub fn nx(self) -> Set<'a, X, (Given, B, C)>
    /// where
    ///     A: NotGiven,
    /// {
    ///     let mut next = self.enter();
    ///     next.condition = Some(SetCondition::Nx);
    ///     next
    /// }
    /// ```
    ///
    /// or, without a slot,
    ///
    /// ```text
    /// /// `COUNT count`
    /// pub fn count(mut self, count: impl Maybe<dyn Integer>) -> Self {
    ///     self.count = count.or_none();
    ///     self
    /// }
    /// ```
    fn fill(
        &self,
        docs: &str,
        setter: &str,
        markers: &[TokenStream],
        parameters: &[TokenStream],
        value: &TokenStream,
        state: u8,
    ) -> TokenStream {
        let (docs, setter, generics) = (doc(docs), ident(setter), generics(markers));
        let field = ident(&self.option.field);
        if self.option.slot.is_none() {
            return quote! {
                #docs
                pub fn #setter #generics(mut self #(, #parameters)*) -> Self {
                    self.#field = #value;
                    self
                }
            };
        }
        let (states, _) = self.states(Some(state));
        let result = self.shape.with_state(&states);
        // As a bound of the method, so that the compiler tells what is the matter, and not that the
        // method does not exist.
        let slot = self.option.slot.map(|slot| letter(slot, &mut Vec::new()));
        quote! {
            #docs
            pub fn #setter #generics(self #(, #parameters)*) -> #result
            where
                #slot: NotGiven,
            {
                let mut next = self.enter();
                next.#field = #value;
                next
            }
        }
    }

    /// What a setter assigns to: `self`, or the command in its next state.
    fn target(&self) -> Ident {
        match self.option.slot {
            Some(_) => format_ident!("next"),
            None => format_ident!("self"),
        }
    }

    /// The states of all slots around the option, and the letters among them: what it requires, or
    /// what it leaves behind once it was given.
    fn states(&self, given: Option<u8>) -> (TokenStream, Vec<TokenStream>) {
        let mut letters = Vec::new();
        let states: Vec<_> = (0..self.shape.slots)
            .map(|slot| {
                if self.option.slot == Some(slot) {
                    match given {
                        Some(number) => given_as(number),
                        None => letter(slot, &mut letters),
                    }
                } else if self.option.after == Some(slot) {
                    quote!(Given)
                } else {
                    letter(slot, &mut letters)
                }
            })
            .collect();
        (tuple(&states), letters)
    }
}

/// `Given`, `Given<1>`
fn given_as(number: u8) -> TokenStream {
    match number {
        0 => quote!(Given),
        number => {
            let number = proc_macro2::Literal::u8_unsuffixed(number);
            quote!(Given<#number>)
        }
    }
}

/// The type parameter of a slot.
fn letter(slot: usize, letters: &mut Vec<TokenStream>) -> TokenStream {
    let letter = ident(LETTERS.get(slot).unwrap_or(&"S"));
    letters.push(quote!(#letter));
    quote!(#letter)
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
fn reply_states(command: &CommandModel) -> TokenStream {
    let ReplyModel::ByState(patterns) = &command.reply else {
        return TokenStream::new();
    };
    let slots: Vec<_> = command.slots.iter().map(|slot| &*slot.name).collect();
    let docs = doc(&format!(
        "The reply of [`{}`], which follows from the options given: {}.",
        command.type_name,
        slots.join(", ")
    ));
    let name = reply_trait(command);
    let by_path = path(command).is_some();
    let path = by_path.then(|| quote!(, path: Option<&[u8]>));
    let states = patterns
        .iter()
        .map(|(pattern, ty)| reply_state(&name, pattern, ty, by_path));
    quote! {
        #docs
        pub trait #name {
            /// The type of the reply.
            type Reply;

            /// Reads it.
            ///
            /// # Errors
            ///
            /// Where the reply has another form.
            fn read(reply: Reply<'_> #path) -> Result<Self::Reply, DecodeError>;
        }

        #(#states)*
    }
}

/// The path that decides whether one value or a list of them is answered, if the reply depends on
/// that: `self.path.as_bytes()`, or `self.path.as_ref().and_then(Arg::as_bytes)` where it is an
/// option.
fn path(command: &CommandModel) -> Option<TokenStream> {
    let by_path = |ty: &Type| matches!(ty, Type::OneOrList(_));
    let depends = match &command.reply {
        ReplyModel::Fixed(ty) => by_path(ty),
        ReplyModel::ByState(patterns) => patterns.iter().any(|(_, ty)| by_path(ty)),
    };
    let field = command.fields.iter().find(|field| field.name == PATH);
    match (depends, &field?.kind) {
        (true, FieldKind::Required(_)) => Some(quote!(self.path.as_bytes())),
        (true, FieldKind::Optional(_)) => Some(quote!(self.path.as_ref().and_then(Arg::as_bytes))),
        _ => None,
    }
}

/// The argument that decides between one value and a list of them.
const PATH: &str = "path";

/// `SetReply`
fn reply_trait(command: &CommandModel) -> Ident {
    ident(&format!("{}Reply", command.type_name))
}

/// ```text
/// impl<A> SetReply for (Open, Open, A) {
///     type Reply = ();
///
///     fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
///         Decode::decode(reply)
///     }
/// }
/// ```
///
/// where a path decides, with `path: Option<&[u8]>` besides.
fn reply_state(name: &Ident, pattern: &[State], ty: &Type, by_path: bool) -> TokenStream {
    let mut letters = Vec::new();
    let states: Vec<_> = pattern
        .iter()
        .enumerate()
        .map(|(slot, state)| match state {
            State::Any => letter(slot, &mut letters),
            State::Open => quote!(Open),
            State::Given(number) => given_as(*number),
        })
        .collect();
    let (states, generics) = (tuple(&states), generics(&letters));
    let path = by_path.then(|| match ty {
        Type::OneOrList(_) => quote!(, path: Option<&[u8]>),
        _ => quote!(, _: Option<&[u8]>),
    });
    let (ty, read) = (reply(ty, false), read(ty, &quote!(path)));
    quote! {
        impl #generics #name for #states {
            type Reply = #ty;

            fn read(reply: Reply<'_> #path) -> Result<Self::Reply, DecodeError> {
                #read
            }
        }
    }
}

/// ```text
/// impl<X: Via, S: SetReply> command::Command for Set<'_, X, S> { … }
///
/// impl<X: Asynchronous<Self>, S: SetReply> IntoFuture for Set<'_, X, S> {
///     type Output = Result<<Self as command::Command>::Reply>;
///     type IntoFuture = X::Pending;
///
///     fn into_future(self) -> Self::IntoFuture {
///         self.via.execute(self)
///     }
/// }
///
/// impl<X: Via, S: SetReply> fmt::Debug for Set<'_, X, S> {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         command::debug(self, f)
///     }
/// }
/// ```
fn behaviour(command: &CommandModel, shape: &Shape) -> TokenStream {
    let state = match (&command.reply, shape.slots) {
        (ReplyModel::ByState(_), _) => {
            let name = reply_trait(command);
            Some(quote!(, S: #name))
        }
        (_, 0) => None,
        _ => Some(quote!(, S)),
    };
    let own = shape.anonymous();
    let body = command_body(command);
    quote! {
        impl<X: Via #state> command::Command for #own {
            #body
        }

        impl<X: Asynchronous<Self> #state> IntoFuture for #own {
            type Output = Result<<Self as command::Command>::Reply>;
            type IntoFuture = X::Pending;

            fn into_future(self) -> Self::IntoFuture {
                self.via.execute(self)
            }
        }

        impl<X: Via #state> fmt::Debug for #own {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                command::debug(self, f)
            }
        }
    }
}

/// ```text
/// type Via = X;
/// type Reply = Option<Bytes>;
///
/// fn via(&self) -> X {
///     self.via
/// }
///
/// fn info(&self) -> &'static command::Info {
///     &info::GET
/// }
///
/// fn write(&self, to: &mut Writer<'_>) {
///     info::GET.write_name(to);
///     self.key.write_key(to);
/// }
///
/// fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
///     Decode::decode(reply)
/// }
/// ```
fn command_body(command: &CommandModel) -> TokenStream {
    let path = path(command);
    let (ty, read) = match (&command.reply, &path) {
        (ReplyModel::Fixed(ty @ Type::Laid(name, _)), _) => {
            (reply(ty, false), laid(name, &command.layout))
        }
        (ReplyModel::Fixed(ty), path) => (reply(ty, false), read(ty, &quote!(#path))),
        (ReplyModel::ByState(_), None) => (quote!(S::Reply), quote!(S::read(reply))),
        (ReplyModel::ByState(_), Some(path)) => (quote!(S::Reply), quote!(S::read(reply, #path))),
    };
    let constant = ident(&constant(&command.name));
    let steps = parts(&command.steps);
    let patience = command.patience.as_ref().map(patience);
    let needs = (!command.needs.is_empty()).then(|| {
        let steps = command.needs.iter().map(needs::step);
        quote! {
            fn needs(&self) -> Needs {
                let mut needs = Needs::of(self.info());
                #(#steps)*
                needs
            }
        }
    });
    let names = command.names.as_ref().map(names);
    quote! {
        type Via = X;
        type Reply = #ty;

        fn via(&self) -> X {
            self.via
        }

        fn info(&self) -> &'static command::Info {
            &info::#constant
        }

        fn write(&self, to: &mut Writer<'_>) {
            info::#constant.write_name(to);
            #steps
        }

        fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
            #read
        }

        #patience
        #needs
        #names
    }
}

/// ```text
/// reply::SearchResult::read(
///     reply,
///     reply::SearchResultOptions {
///         withscores: self.withscores,
///         r#return: self.r#return.as_ref().map(List::len),
///     },
/// )
/// ```
fn laid(name: &str, layout: &[LayoutOption]) -> TokenStream {
    let options = layout.iter().map(|option| {
        let field = ident(&option.field);
        match option.kind {
            LayoutKind::Flag => quote!(#field: self.#field),
            LayoutKind::Given => quote!(#field: self.#field.is_some()),
            LayoutKind::Length => quote!(#field: self.#field.as_ref().map(List::len)),
        }
    });
    let (of_options, name) = (ident(&format!("{name}Options")), ident(name));
    quote!(reply::#name::read(reply, reply::#of_options { #(#options),* }))
}

/// ```text
/// fn names(&self) -> &[Arg<'_>] {
///     self.field.as_slice()
/// }
/// ```
fn names(names: &NamesModel) -> TokenStream {
    let field = ident(&names.field);
    let slice = match names.optional {
        true => quote!(self.#field.as_ref().map_or(&[], List::as_slice)),
        false => quote!(self.#field.as_slice()),
    };
    quote! {
        fn names(&self) -> &[Arg<'_>] {
            #slice
        }
    }
}

/// ```text
/// fn patience(&self) -> Patience {
///     let Some(block) = &self.block else {
///         return Patience::None;
///     };
///     Patience::until(block.as_milliseconds())
/// }
/// ```
fn patience(patience: &PatienceModel) -> TokenStream {
    let unit = match patience.unit {
        Unit::Milliseconds => quote!(as_milliseconds),
        Unit::Seconds | Unit::None => quote!(as_seconds),
    };
    let field = ident(&patience.field);
    if !patience.optional {
        return quote! {
            fn patience(&self) -> Patience {
                Patience::until(self.#field.#unit())
            }
        };
    }
    let part = patience.part.map(|part| {
        let part = proc_macro2::Literal::usize_unsuffixed(part);
        quote!(.#part)
    });
    quote! {
        fn patience(&self) -> Patience {
            let Some(#field) = &self.#field else {
                return Patience::None;
            };
            Patience::until(#field #part.#unit())
        }
    }
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
    docs: &str,
    name: &str,
    bound: &str,
    commands: &[&CommandModel],
    spec: &Spec,
) -> TokenStream {
    if commands.is_empty() {
        return TokenStream::new();
    }
    let (docs, name, bound) = (doc(docs), ident(name), ident(bound));
    let methods = commands.iter().map(|command| method(command, spec));
    quote! {
        #docs
        pub trait #name: #bound {
            #(#methods)*
        }

        impl<T: #bound + ?Sized> #name for T {}
    }
}

/// One method of the group's trait.
///
/// ```text
/// /// `GET key`: returns …
/// fn get<'a>(&self, key: impl Into<Arg<'a>>) -> Get<'a, &Self> {
///     Get::new(self, key.into())
/// }
/// ```
fn method(command: &CommandModel, spec: &Spec) -> TokenStream {
    let docs = doc(&docs::short(command, spec));
    let Call {
        name,
        generics,
        parameters,
        ty,
        result,
        values,
    } = Call::new(command, Some(quote!(&Self)));
    quote! {
        #docs
        fn #name #generics(&self #(, #parameters)*) -> #result {
            #ty::new(self #(, #values)*)
        }
    }
}

/// ```text
/// /// `GET key`: returns …
/// pub fn get<'a>(key: impl Into<Arg<'a>>) -> Get<'a> {
///     Get::new(Detached, key.into())
/// }
/// ```
pub(super) fn constructor(command: &CommandModel, spec: &Spec) -> TokenStream {
    let docs = doc(&docs::short(command, spec));
    let Call {
        name,
        generics,
        parameters,
        ty,
        result,
        values,
    } = Call::new(command, None);
    quote! {
        #docs
        pub fn #name #generics(#(#parameters),*) -> #result {
            #ty::new(Detached #(, #values)*)
        }
    }
}

/// The parts of a function that makes a command.
struct Call {
    /// `get`
    name: Ident,
    /// `<'a>`
    generics: TokenStream,
    /// `key: impl Into<Arg<'a>>`
    parameters: Vec<TokenStream>,
    /// `Get`
    ty: Ident,
    /// `Get<'a, &Self>`
    result: TokenStream,
    /// `key.into()`
    values: Vec<TokenStream>,
}

impl Call {
    fn new(command: &CommandModel, via: Option<TokenStream>) -> Self {
        let shape = Shape::new(command);
        let lifetime = shape.borrows.then(|| quote!('a));
        let mut markers = Vec::new();
        let typed = command
            .parameters
            .iter()
            .map(|item| (&*item.name, &item.ty));
        let parameters = types::parameters(typed, &mut markers);
        let values = command
            .parameters
            .iter()
            .map(|item| conversion(&item.name, &item.ty));
        let all: Vec<_> = lifetime.clone().into_iter().chain(markers).collect();
        let applied: Vec<_> = lifetime.into_iter().chain(via).collect();
        let (ty, applied) = (shape.name, generics(&applied));
        Self {
            name: ident(&command.method),
            generics: generics(&all),
            parameters,
            values: values.collect(),
            result: quote!(#ty #applied),
            ty,
        }
    }
}
