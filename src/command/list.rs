//! Repeated arguments: one value, or anything that can be iterated.

use super::{Arg, Double, Integer};
use crate::{error::Error, resp::Writer};

/// The values of a repeated argument.
///
/// One value is kept in place; several take one allocation.
#[derive(Clone, Debug)]
pub struct List<T>(Repr<T>);

#[derive(Clone, Debug)]
enum Repr<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> List<T> {
    /// The values in order.
    pub fn as_slice(&self) -> &[T] {
        match &self.0 {
            Repr::One(value) => std::slice::from_ref(value),
            Repr::Many(values) => values,
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// This list at the end of another, unless both are empty.
    pub fn after(self, first: Option<Self>) -> Option<Self> {
        let Some(first) = first else {
            return (!self.is_empty()).then_some(self);
        };
        let mut values = first.into_vec();
        values.extend(self.into_vec());
        Some(Self(Repr::Many(values)))
    }

    /// Another list with one more value at its end, or that value alone.
    pub fn with(first: Option<Self>, value: T) -> Self {
        let Some(first) = first else {
            return Self(Repr::One(value));
        };
        let mut values = first.into_vec();
        values.push(value);
        Self(Repr::Many(values))
    }

    fn into_vec(self) -> Vec<T> {
        match self.0 {
            Repr::One(value) => vec![value],
            Repr::Many(values) => values,
        }
    }

    /// Fails the command that is being written where the list is empty.
    pub fn require(&self, noun: &'static str, to: &mut Writer<'_>) {
        if self.is_empty() {
            to.fail(Error::argument(format!(
                "expected at least one {noun}, got an empty list"
            )));
        }
    }

    /// The values in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.as_slice().iter()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What can be passed for a repeated argument: one `T`, or an array, slice, `Vec`, map or iterator
/// of what converts into `T`.
///
/// `M` is [`One`] or [`Many`] and is always inferred. A byte string, whatever its type, is one value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither one `{T}` nor a list of them",
    label = "this argument of the command takes one value, or an array, slice, `Vec` or iterator",
    note = "what belongs together is a tuple, and several of them are a list: `(\"field\", \"value\")` or `[(\"field\", \"value\"), (\"other\", \"value\")]`",
    note = "a `bool` is no value, since servers have none: write `i64::from(flag)` or `flag.to_string()`"
)]
pub trait IntoList<T, M> {
    /// The values in order.
    fn into_list(self) -> List<T>;
}

/// Marks a single value, or a batch of one command.
#[derive(Debug)]
pub enum One {}

/// Marks something that can be iterated.
#[derive(Debug)]
pub enum Many {}

impl<T, U: Into<T>> IntoList<T, One> for U {
    fn into_list(self) -> List<T> {
        List(Repr::One(self.into()))
    }
}

impl<T, I> IntoList<T, Many> for I
where
    I: IntoIterator,
    I::Item: Into<T> + Item,
{
    fn into_list(self) -> List<T> {
        List(Repr::Many(self.into_iter().map(Into::into).collect()))
    }
}

/// A whole number in a list of arguments.
#[derive(Clone, Debug)]
pub struct IntegerArg(Arg<'static>);

impl IntegerArg {
    /// Writes the number as one word.
    pub fn write(&self, to: &mut Writer<'_>) {
        self.0.write(to);
    }
}

impl<T: Integer> From<T> for IntegerArg {
    fn from(number: T) -> Self {
        Self(number.into_arg())
    }
}

/// A floating point number in a list of arguments.
#[derive(Clone, Debug)]
pub struct DoubleArg(Arg<'static>);

impl DoubleArg {
    /// Writes the number as one word.
    pub fn write(&self, to: &mut Writer<'_>) {
        self.0.write(to);
    }
}

impl<T: Double> From<T> for DoubleArg {
    fn from(number: T) -> Self {
        Self(number.into_arg())
    }
}

/// What may be an element of a list of arguments: everything but a bare byte.
///
/// Without it a `Vec<u8>` could be read as a list of small numbers instead of one byte string.
pub trait Item {}

macro_rules! items {
    ($($type:ty),+ $(,)?) => {$(impl Item for $type {})+};
}

items! {
    &str, &&str, String, &String, &&String, Box<str>, std::borrow::Cow<'_, str>,
    &[u8], &&[u8], Vec<u8>, &Vec<u8>, Box<[u8]>, bytes::Bytes, &bytes::Bytes, std::borrow::Cow<'_, [u8]>,
    i8, i16, i32, i64, isize, u16, u32, u64, usize, f32, f64,
    &i8, &i16, &i32, &i64, &isize, &u16, &u32, &u64, &usize, &f32, &f64,
    Arg<'_>, &Arg<'_>, char, &char, i128, &i128, u128, &u128,
    &std::borrow::Cow<'_, str>, &std::borrow::Cow<'_, [u8]>, &Box<str>, &Box<[u8]>,
    std::sync::Arc<str>, &std::sync::Arc<str>, std::sync::Arc<[u8]>, &std::sync::Arc<[u8]>,
    std::rc::Rc<str>, &std::rc::Rc<str>, std::rc::Rc<[u8]>, &std::rc::Rc<[u8]>,
}

#[cfg(feature = "uuid")]
items! { uuid::Uuid, &uuid::Uuid }

impl<const N: usize> Item for [u8; N] {}
impl<const N: usize> Item for &[u8; N] {}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        impl<$($name),+> Item for ($($name,)+) {}
        impl<$($name),+> Item for &($($name,)+) {}
    )+};
}

tuples! { A B; A B C; A B C D; A B C D E; }
