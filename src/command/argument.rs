//! Arguments: what callers may pass, and how it is kept until it is written.

use std::{
    borrow::Cow,
    fmt,
    marker::PhantomData,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use super::Unit;
use crate::{error::Error, resp::Writer};

/// One argument: bytes that are borrowed or owned, or a number.
///
/// A byte string is always one bulk string on the wire. Numbers are written as decimal text.
#[derive(Clone, PartialEq)]
pub struct Arg<'a>(Repr<'a>);

#[derive(Clone, PartialEq)]
enum Repr<'a> {
    Borrowed(&'a [u8]),
    Owned(Bytes),
    Integer(i64),
    Unsigned(u64),
    Double(f64),
    /// Cannot be sent; the text says what was expected and what arrived.
    Invalid(&'static str),
}

impl<'a> Arg<'a> {
    /// An argument that fails the command before anything is sent.
    #[must_use]
    pub const fn invalid(reason: &'static str) -> Self {
        Self(Repr::Invalid(reason))
    }

    /// Writes the argument as one word.
    pub fn write(&self, to: &mut Writer<'_>) {
        match &self.0 {
            Repr::Borrowed(bytes) => to.word(bytes),
            Repr::Owned(bytes) => to.shared(bytes),
            Repr::Integer(number) => to.integer(*number),
            Repr::Unsigned(number) => to.unsigned(*number),
            Repr::Double(number) => to.double(*number),
            Repr::Invalid(reason) => to.fail(Error::argument(*reason)),
        }
    }

    /// Writes the argument as one word that names a key.
    pub fn write_key(&self, to: &mut Writer<'_>) {
        match &self.0 {
            Repr::Borrowed(bytes) => to.key(bytes),
            Repr::Owned(bytes) => to.key(bytes),
            Repr::Integer(number) => to.key(itoa::Buffer::new().format(*number).as_bytes()),
            Repr::Unsigned(number) => to.key(itoa::Buffer::new().format(*number).as_bytes()),
            Repr::Double(number) => to.key(number.to_string().as_bytes()),
            Repr::Invalid(reason) => to.fail(Error::argument(*reason)),
        }
    }

    /// The bytes, where the argument is not a number.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Borrowed(bytes) => Some(bytes),
            Repr::Owned(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether the argument is this word, whatever its case.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.as_bytes()
            .is_some_and(|bytes| bytes.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// The number that a server reads, where the argument is a whole one written in the only way
    /// that it knows: without a plus sign, spaces or zeros in front.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match &self.0 {
            Repr::Integer(number) => Some(*number),
            Repr::Unsigned(number) => i64::try_from(*number).ok(),
            Repr::Borrowed(bytes) => integer(bytes),
            Repr::Owned(bytes) => integer(bytes),
            Repr::Double(_) | Repr::Invalid(_) => None,
        }
    }

    /// The number as a time in seconds, where the argument is a number that is not negative.
    #[must_use]
    pub fn as_seconds(&self) -> Option<Duration> {
        match self.0 {
            Repr::Integer(number) => u64::try_from(number).ok().map(Duration::from_secs),
            Repr::Unsigned(number) => Some(Duration::from_secs(number)),
            Repr::Double(number) => Duration::try_from_secs_f64(number).ok(),
            _ => None,
        }
    }

    /// The number as a time in milliseconds, where the argument is a whole number that is not negative.
    #[must_use]
    pub fn as_milliseconds(&self) -> Option<Duration> {
        match self.0 {
            Repr::Integer(number) => u64::try_from(number).ok().map(Duration::from_millis),
            Repr::Unsigned(number) => Some(Duration::from_millis(number)),
            _ => None,
        }
    }
}

impl Arg<'_> {
    /// The argument as a time in this unit, where a server can read it as one.
    pub(super) fn time(&self, unit: Unit) -> Option<Duration> {
        match (unit, self.as_bytes()) {
            (Unit::Milliseconds, Some(bytes)) => Some(Duration::from_millis(
                str::from_utf8(bytes).ok()?.parse().ok()?,
            )),
            (Unit::Seconds, Some(bytes)) => {
                Duration::try_from_secs_f64(str::from_utf8(bytes).ok()?.parse().ok()?).ok()
            }
            (Unit::Milliseconds, None) => self.as_milliseconds(),
            (Unit::Seconds, None) => self.as_seconds(),
        }
    }
}

fn integer(bytes: &[u8]) -> Option<i64> {
    let number = str::from_utf8(bytes).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(number).as_bytes() == bytes).then_some(number)
}

impl fmt::Debug for Arg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Borrowed(bytes) => write!(f, "Arg({} bytes)", bytes.len()),
            Repr::Owned(bytes) => write!(f, "Arg({} bytes)", bytes.len()),
            Repr::Integer(_) | Repr::Unsigned(_) | Repr::Double(_) => f.write_str("Arg(a number)"),
            Repr::Invalid(reason) => write!(f, "Arg(invalid: {reason})"),
        }
    }
}

/// A whole number: every integer type of Rust.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a whole number",
    label = "this argument of the command takes an integer"
)]
pub trait Integer {
    /// The number as an argument.
    fn into_arg(self) -> Arg<'static>;
}

/// A floating point number: `f64`, `f32` and every integer type of Rust, none of which loses digits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number",
    label = "this argument of the command takes a floating point number or an integer"
)]
pub trait Double {
    /// The number as an argument.
    fn into_arg(self) -> Arg<'static>;
}

/// A span of time in whole seconds: an integer, or a [`Duration`] without a fraction.
///
/// A [`Duration`] with a fraction of a second fails the command before it is sent, because the
/// server would lose the fraction.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time in seconds",
    label = "this argument of the command takes an integer (seconds) or a `std::time::Duration`"
)]
pub trait Seconds {
    /// The time as an argument in seconds.
    fn into_arg(self) -> Arg<'static>;
}

/// A span of time in whole milliseconds: an integer, or a [`Duration`] without a smaller fraction.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time in milliseconds",
    label = "this argument of the command takes an integer (milliseconds) or a `std::time::Duration`"
)]
pub trait Milliseconds {
    /// The time as an argument in milliseconds.
    fn into_arg(self) -> Arg<'static>;
}

/// A point in time in whole seconds since the Unix epoch: an integer, or a [`SystemTime`], whose
/// fraction of a second is cut off.
///
/// A point in time almost never falls on a whole second, so that refusing the rest would refuse all
/// of them; it moves by less than a second, and never into the future. Where that matters there is
/// the form in milliseconds, such as `PXAT` beside `EXAT`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a point in time",
    label = "this argument of the command takes an integer (Unix seconds) or a `std::time::SystemTime`"
)]
pub trait UnixSeconds {
    /// The time as an argument in seconds.
    fn into_arg(self) -> Arg<'static>;
}

/// A point in time in whole milliseconds since the Unix epoch: an integer, or a [`SystemTime`],
/// whose fraction of a millisecond is cut off.
///
/// The clock of a [`SystemTime`] is finer than a millisecond on every platform, so that refusing
/// the rest would refuse all of them; the point in time never moves into the future.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a point in time",
    label = "this argument of the command takes an integer (Unix milliseconds) or a `std::time::SystemTime`"
)]
pub trait UnixMilliseconds {
    /// The time as an argument in milliseconds.
    fn into_arg(self) -> Arg<'static>;
}

/// The value of an option that may be left out at run time: the value itself, or an `Option` of it.
///
/// `K` says what the values are: `dyn Integer`, `dyn Seconds` and their like, or [`Arg`] where any
/// bytes will do. A bare `None` does not tell of which type it is none: pass a variable, or
/// `None::<u64>`.
///
/// ```
/// use respec::cmd;
///
/// let limit: Option<usize> = None;
/// let _ = cmd::scan(0).count(10).r#match(Some("user:*"));
/// let _ = cmd::scan(0).count(limit).r#match(None::<&str>);
/// ```
pub trait Maybe<K: ArgKind + ?Sized> {
    /// The argument, if there is one.
    fn or_none(self) -> Option<K::Arg>;
}

/// What the values of an option are; see [`Maybe`].
pub trait ArgKind {
    /// The argument that they become.
    type Arg;
}

impl<'a> ArgKind for Arg<'a> {
    type Arg = Self;
}

impl<'a, T: Into<Arg<'a>>> Maybe<Arg<'a>> for T {
    fn or_none(self) -> Option<Arg<'a>> {
        Some(self.into())
    }
}

impl<'a, T: Into<Arg<'a>>> Maybe<Arg<'a>> for Option<T> {
    fn or_none(self) -> Option<Arg<'a>> {
        self.map(Into::into)
    }
}

/// A number, or an `Option` of one, for each kind of number.
macro_rules! maybe_numbers {
    ($($kind:ident),+) => {$(
        impl ArgKind for dyn $kind {
            type Arg = Arg<'static>;
        }

        impl<T: $kind> Maybe<dyn $kind> for T {
            fn or_none(self) -> Option<Arg<'static>> {
                Some(self.into_arg())
            }
        }

        impl<T: $kind> Maybe<dyn $kind> for Option<T> {
            fn or_none(self) -> Option<Arg<'static>> {
                self.map($kind::into_arg)
            }
        }
    )+};
}

maybe_numbers!(
    Integer,
    Double,
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds
);

impl Seconds for Duration {
    fn into_arg(self) -> Arg<'static> {
        if self.subsec_nanos() != 0 {
            return Arg::invalid(
                "expected whole seconds, got a duration with a fraction of a second",
            );
        }
        Arg(Repr::Unsigned(self.as_secs()))
    }
}

impl Milliseconds for Duration {
    fn into_arg(self) -> Arg<'static> {
        if !self.subsec_nanos().is_multiple_of(1_000_000) {
            return Arg::invalid(
                "expected whole milliseconds, got a duration with a fraction of a millisecond",
            );
        }
        u64::try_from(self.as_millis()).map_or(
            Arg::invalid("expected milliseconds of at most 64 bits, got a longer duration"),
            |milliseconds| Arg(Repr::Unsigned(milliseconds)),
        )
    }
}

impl Double for Duration {
    fn into_arg(self) -> Arg<'static> {
        Arg(Repr::Double(self.as_secs_f64()))
    }
}

impl UnixSeconds for SystemTime {
    fn into_arg(self) -> Arg<'static> {
        self.duration_since(UNIX_EPOCH).map_or(
            Arg::invalid("expected a point in time after 1970, got an earlier one"),
            |since| Arg(Repr::Unsigned(since.as_secs())),
        )
    }
}

impl UnixMilliseconds for SystemTime {
    fn into_arg(self) -> Arg<'static> {
        let Ok(since) = self.duration_since(UNIX_EPOCH) else {
            return Arg::invalid("expected a point in time after 1970, got an earlier one");
        };
        u64::try_from(since.as_millis()).map_or(
            Arg::invalid("expected milliseconds of at most 64 bits, got a later point in time"),
            |milliseconds| Arg(Repr::Unsigned(milliseconds)),
        )
    }
}

/// The five kinds of number that an integer can stand for.
macro_rules! whole_numbers {
    ($($type:ty => $repr:ident as $wide:ty),+ $(,)?) => {$(
        impl From<$type> for Arg<'_> {
            fn from(number: $type) -> Self {
                Self(Repr::$repr(number as $wide))
            }
        }

        whole_numbers!(@traits $type: Integer, Double, Seconds, Milliseconds, UnixSeconds, UnixMilliseconds);
    )+};
    (@traits $type:ty: $($trait:ident),+) => {$(
        impl $trait for $type {
            fn into_arg(self) -> Arg<'static> {
                self.into()
            }
        }

        impl $trait for &$type {
            fn into_arg(self) -> Arg<'static> {
                (*self).into()
            }
        }
    )+};
}

whole_numbers! {
    i8 => Integer as i64, i16 => Integer as i64, i32 => Integer as i64, i64 => Integer as i64,
    isize => Integer as i64, u8 => Unsigned as u64, u16 => Unsigned as u64, u32 => Unsigned as u64,
    u64 => Unsigned as u64, usize => Unsigned as u64,
}

/// Numbers by reference, without `&u8`: a slice of bytes is one argument and not a list of numbers.
macro_rules! by_reference {
    ($($type:ty),+) => {$(
        impl From<&$type> for Arg<'_> {
            fn from(number: &$type) -> Self {
                (*number).into()
            }
        }
    )+};
}

by_reference!(i8, i16, i32, i64, isize, u16, u32, u64, usize, f32, f64);

impl From<f64> for Arg<'_> {
    fn from(number: f64) -> Self {
        Self(Repr::Double(number))
    }
}

impl From<f32> for Arg<'_> {
    /// Keeps the shortest decimal text of the `f32`, so that 0.1 stays 0.1.
    fn from(number: f32) -> Self {
        Self(Repr::Double(
            number.to_string().parse().unwrap_or(f64::from(number)),
        ))
    }
}

impl Double for f64 {
    fn into_arg(self) -> Arg<'static> {
        self.into()
    }
}

impl Double for &f64 {
    fn into_arg(self) -> Arg<'static> {
        (*self).into()
    }
}

impl Double for f32 {
    fn into_arg(self) -> Arg<'static> {
        self.into()
    }
}

impl Double for &f32 {
    fn into_arg(self) -> Arg<'static> {
        (*self).into()
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Arg<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<const N: usize> From<[u8; N]> for Arg<'_> {
    fn from(bytes: [u8; N]) -> Self {
        Self(Repr::Owned(Bytes::copy_from_slice(&bytes)))
    }
}

impl<'a> From<&'a Vec<u8>> for Arg<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Arg<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Repr::Owned(bytes.into()))
    }
}

impl From<Box<[u8]>> for Arg<'_> {
    fn from(bytes: Box<[u8]>) -> Self {
        Self(Repr::Owned(bytes.into()))
    }
}

impl From<Bytes> for Arg<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::Owned(bytes))
    }
}

impl<'a> From<&'a Bytes> for Arg<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&&'a str> for Arg<'a> {
    fn from(text: &&'a str) -> Self {
        (*text).into()
    }
}

impl<'a> From<&&'a [u8]> for Arg<'a> {
    fn from(bytes: &&'a [u8]) -> Self {
        (*bytes).into()
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl<'a> From<&&'a String> for Arg<'a> {
    fn from(text: &&'a String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Arg<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Box<str>> for Arg<'_> {
    fn from(text: Box<str>) -> Self {
        String::from(text).into()
    }
}

impl<'a> From<Cow<'a, str>> for Arg<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl<'a> From<Cow<'a, [u8]>> for Arg<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl<'a> From<&Arg<'a>> for Arg<'a> {
    fn from(arg: &Arg<'a>) -> Self {
        arg.clone()
    }
}

impl<'a> From<&'a Cow<'_, str>> for Arg<'a> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        (**text).into()
    }
}

impl<'a> From<&'a Cow<'_, [u8]>> for Arg<'a> {
    fn from(bytes: &'a Cow<'_, [u8]>) -> Self {
        (**bytes).into()
    }
}

impl From<char> for Arg<'_> {
    /// The character as UTF-8.
    fn from(character: char) -> Self {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes);
        Self(Repr::Owned(Bytes::copy_from_slice(text.as_bytes())))
    }
}

impl From<&char> for Arg<'_> {
    fn from(character: &char) -> Self {
        (*character).into()
    }
}

/// Whole numbers that are wider than those of servers: their decimal digits.
macro_rules! wide_numbers {
    ($($type:ty),+) => {$(
        impl From<$type> for Arg<'_> {
            fn from(number: $type) -> Self {
                let digits = itoa::Buffer::new().format(number).to_owned();
                digits.into()
            }
        }

        impl From<&$type> for Arg<'_> {
            fn from(number: &$type) -> Self {
                (*number).into()
            }
        }
    )+};
}

wide_numbers!(i128, u128);

/// Text and bytes behind a pointer: borrowed they are not copied.
macro_rules! pointers {
    ($($pointer:ident),+) => {$(
        impl From<$pointer<str>> for Arg<'_> {
            fn from(text: $pointer<str>) -> Self {
                Self(Repr::Owned(Bytes::copy_from_slice(text.as_bytes())))
            }
        }

        impl<'a> From<&'a $pointer<str>> for Arg<'a> {
            fn from(text: &'a $pointer<str>) -> Self {
                (**text).into()
            }
        }

        impl From<$pointer<[u8]>> for Arg<'_> {
            fn from(bytes: $pointer<[u8]>) -> Self {
                Self(Repr::Owned(Bytes::copy_from_slice(&bytes)))
            }
        }

        impl<'a> From<&'a $pointer<[u8]>> for Arg<'a> {
            fn from(bytes: &'a $pointer<[u8]>) -> Self {
                (**bytes).into()
            }
        }
    )+};
}

pointers!(Arc, Rc);

impl<'a> From<&'a Box<str>> for Arg<'a> {
    fn from(text: &'a Box<str>) -> Self {
        (**text).into()
    }
}

impl<'a> From<&'a Box<[u8]>> for Arg<'a> {
    fn from(bytes: &'a Box<[u8]>) -> Self {
        (**bytes).into()
    }
}

/// Refuses `bool`, with the reason: the bound is never met.
impl<'a> From<bool> for Arg<'a>
where
    TruthValue<'a>: Sendable,
{
    fn from(flag: bool) -> Self {
        i64::from(flag).into()
    }
}

/// A truth value, for which there is no word.
#[derive(Debug)]
pub struct TruthValue<'a>(PhantomData<&'a ()>);

/// What servers have words for.
#[diagnostic::on_unimplemented(
    message = "a `bool` is no argument, since servers have no truth values: some programs write 1 and 0, others `true` and `false`",
    label = "expected text, bytes or a number",
    note = "write `i64::from(flag)` for 1 or 0, or `flag.to_string()` for `true` or `false`"
)]
pub trait Sendable {}

#[cfg(feature = "uuid")]
impl From<uuid::Uuid> for Arg<'_> {
    /// The hyphenated text, in lower case.
    fn from(uuid: uuid::Uuid) -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        let text = uuid.hyphenated().encode_lower(&mut buffer);
        Self(Repr::Owned(Bytes::copy_from_slice(text.as_bytes())))
    }
}

#[cfg(feature = "uuid")]
impl From<&uuid::Uuid> for Arg<'_> {
    fn from(uuid: &uuid::Uuid) -> Self {
        (*uuid).into()
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn word(arg: Arg<'_>) -> String {
        let mut out = BytesMut::new();
        Writer::command(&mut out, |to| arg.write(to)).unwrap();
        let text = std::str::from_utf8(&out).unwrap();
        text.split("\r\n").nth(2).unwrap().to_owned()
    }

    #[test]
    fn what_is_text_bytes_or_a_number_is_an_argument() {
        assert_eq!(word('é'.into()), "é");
        assert_eq!(word((&'x').into()), "x");
        assert_eq!(word(i128::MIN.into()), i128::MIN.to_string());
        assert_eq!(word(u128::MAX.into()), u128::MAX.to_string());
        assert_eq!(word((&-7_i128).into()), "-7");
        assert_eq!(word(Arc::<str>::from("shared").into()), "shared");
        assert_eq!(word((&Arc::<str>::from("lent")).into()), "lent");
        assert_eq!(word(Rc::<[u8]>::from(&b"bytes"[..]).into()), "bytes");
        assert_eq!(word((&Cow::Borrowed("cow")).into()), "cow");
        assert_eq!(word((&Cow::<[u8]>::Owned(b"own".to_vec())).into()), "own");
        assert_eq!(word((&Box::<str>::from("box")).into()), "box");
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn a_uuid_is_its_hyphenated_text() {
        let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let uuid: uuid::Uuid = text.to_uppercase().parse().unwrap();
        assert_eq!(word(uuid.into()), text);
        assert_eq!(word((&uuid).into()), text);
    }

    #[test]
    fn a_point_in_time_is_cut_off_to_the_unit() {
        let time = UNIX_EPOCH + Duration::new(5, 999_999_999);
        assert_eq!(word(UnixSeconds::into_arg(time)), "5");
        assert_eq!(word(UnixMilliseconds::into_arg(time)), "5999");
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        assert!(matches!(UnixSeconds::into_arg(before).0, Repr::Invalid(_)));
        // A span of time is not cut off: the rest of it would be lost for good.
        let span = Duration::from_millis(5_999);
        assert!(matches!(Seconds::into_arg(span).0, Repr::Invalid(_)));
        assert_eq!(word(Milliseconds::into_arg(span)), "5999");
    }
}
