//! Arguments that several queries take.

use crate::command::{Arg, Item, List};
use crate::commands::shared::Order;
use crate::resp::Writer;

/// `identifier [AS property]`: a field to be returned or loaded, and the name that it gets.
///
/// The identifier alone and a tuple `(identifier, property)` convert into it.
#[derive(Clone, Debug)]
pub struct FieldAs<'a> {
    identifier: Arg<'a>,
    property: Option<Arg<'a>>,
}

impl<'a> FieldAs<'a> {
    /// `identifier`
    #[must_use]
    pub fn new(identifier: impl Into<Arg<'a>>) -> Self {
        Self {
            identifier: identifier.into(),
            property: None,
        }
    }

    /// `AS property`
    #[must_use]
    pub fn alias(mut self, property: impl Into<Arg<'a>>) -> Self {
        self.property = Some(property.into());
        self
    }

    /// Writes how many words follow, and the fields, since servers count words and not fields.
    pub(super) fn write_counted(fields: &List<Self>, to: &mut Writer<'_>) {
        let names = fields
            .iter()
            .filter(|field| field.property.is_some())
            .count();
        to.unsigned((fields.len() + 2 * names) as u64);
        for field in fields {
            field.identifier.write(to);
            if let Some(property) = &field.property {
                to.word(b"AS");
                property.write(to);
            }
        }
    }
}

impl Item for FieldAs<'_> {}

impl<'a, T: Into<Arg<'a>>> From<T> for FieldAs<'a> {
    fn from(identifier: T) -> Self {
        Self::new(identifier)
    }
}

impl<'a, A, B> From<(A, B)> for FieldAs<'a>
where
    A: Into<Arg<'a>>,
    B: Into<Arg<'a>>,
{
    fn from((identifier, property): (A, B)) -> Self {
        Self::new(identifier).alias(property)
    }
}

/// `field [ASC | DESC]`: what results are sorted by.
///
/// The field alone and a tuple `(field, Order::Desc)` convert into it.
#[derive(Clone, Debug)]
pub struct SortKey<'a> {
    field: Arg<'a>,
    order: Option<Order>,
}

impl<'a> SortKey<'a> {
    /// `field`, in the server's default order, which is ascending.
    #[must_use]
    pub fn new(field: impl Into<Arg<'a>>) -> Self {
        Self {
            field: field.into(),
            order: None,
        }
    }

    /// `field ASC`
    #[must_use]
    pub fn asc(mut self) -> Self {
        self.order = Some(Order::Asc);
        self
    }

    /// `field DESC`
    #[must_use]
    pub fn desc(mut self) -> Self {
        self.order = Some(Order::Desc);
        self
    }

    pub(super) fn write_words(&self, to: &mut Writer<'_>) {
        self.field.write(to);
        if let Some(order) = &self.order {
            order.write_words(to);
        }
    }

    /// Writes how many words follow, and the keys.
    pub(super) fn write_counted(keys: &List<Self>, to: &mut Writer<'_>) {
        keys.require("field to sort by", to);
        to.unsigned(Self::words(keys) as u64);
        for key in keys {
            key.write_words(to);
        }
    }

    /// How many words the keys are.
    pub(super) fn words(keys: &List<Self>) -> usize {
        keys.len() + keys.iter().filter(|key| key.order.is_some()).count()
    }

    /// The key as arguments of a function.
    pub(super) fn into_args(self) -> impl Iterator<Item = Arg<'a>> {
        let order = self.order.map(|order| match order {
            Order::Asc => "ASC".into(),
            Order::Desc => "DESC".into(),
        });
        [self.field].into_iter().chain(order)
    }
}

impl Item for SortKey<'_> {}

impl<'a, T: Into<Arg<'a>>> From<T> for SortKey<'a> {
    fn from(field: T) -> Self {
        Self::new(field)
    }
}

impl<'a, A: Into<Arg<'a>>> From<(A, Order)> for SortKey<'a> {
    fn from((field, order): (A, Order)) -> Self {
        Self {
            field: field.into(),
            order: Some(order),
        }
    }
}

/// `name value`: a parameter that a query refers to as `$name`.
///
/// A tuple `(name, value)` converts into it.
#[derive(Clone, Debug)]
pub struct QueryParam<'a> {
    name: Arg<'a>,
    value: Arg<'a>,
}

impl<'a> QueryParam<'a> {
    /// `name value`
    #[must_use]
    pub fn new(name: impl Into<Arg<'a>>, value: impl Into<Arg<'a>>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Writes `PARAMS`, how many words follow, and the parameters.
    pub(super) fn write_all(params: &List<Self>, to: &mut Writer<'_>) {
        to.word(b"PARAMS");
        to.unsigned(2 * params.len() as u64);
        for param in params {
            param.name.write(to);
            param.value.write(to);
        }
    }
}

impl Item for QueryParam<'_> {}

impl<'a, A, B> From<(A, B)> for QueryParam<'a>
where
    A: Into<Arg<'a>>,
    B: Into<Arg<'a>>,
{
    fn from((name, value): (A, B)) -> Self {
        Self::new(name, value)
    }
}

impl<'a, 'b, A, B> From<&'b (A, B)> for QueryParam<'a>
where
    &'b A: Into<Arg<'a>>,
    &'b B: Into<Arg<'a>>,
{
    fn from((name, value): &'b (A, B)) -> Self {
        Self::new(name, value)
    }
}

/// `WITHCOUNT | WITHOUTCOUNT`: whether more is read than what is returned, so that the total is exact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counting {
    /// `WITHCOUNT`
    Exact,
    /// `WITHOUTCOUNT`
    Left,
}

impl Counting {
    pub(super) fn write_words(self, to: &mut Writer<'_>) {
        match self {
            Self::Exact => to.word(b"WITHCOUNT"),
            Self::Left => to.word(b"WITHOUTCOUNT"),
        }
    }
}

/// `LIMIT offset num`
pub(super) fn write_limit((offset, num): &(Arg<'static>, Arg<'static>), to: &mut Writer<'_>) {
    to.word(b"LIMIT");
    offset.write(to);
    num.write(to);
}

/// A token with a value, where the value was given.
pub(super) fn write_option(token: &[u8], value: Option<&Arg<'_>>, to: &mut Writer<'_>) {
    if let Some(value) = value {
        to.word(token);
        value.write(to);
    }
}
