//! stub
use crate::resp::Reply;
use bytes::Bytes;
pub struct DecodeError;
impl From<DecodeError> for crate::Error {
    fn from(_: DecodeError) -> Self {
        todo!()
    }
}
pub trait Decode: Sized {
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError>;
}
pub trait FromReply: Sized {
    fn from_reply(reply: Reply<'_>) -> Result<Self, DecodeError>;
}
impl<T: serde::de::DeserializeOwned + 'static> FromReply for T {
    fn from_reply(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
pub struct Value;
macro_rules! d{($($t:ty),*)=>{$(impl Decode for $t{fn decode(_:Reply<'_>)->Result<Self,DecodeError>{todo!()}})*}}
d!((), bool, i64, u64, f64, Bytes, String, Value);
impl<T: Decode> Decode for Option<T> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
impl<T: Decode> Decode for Vec<T> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
impl<T: Decode> Decode for std::collections::HashSet<T> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
impl<K: Decode, T: Decode> Decode for std::collections::HashMap<K, T> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
impl<T: Decode> Decode for Result<T, crate::Error> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
impl<A: Decode, B: Decode> Decode for (A, B) {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
impl<A: Decode, B: Decode, C: Decode> Decode for (A, B, C) {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
pub struct ScanPage<T> {
    pub cursor: u64,
    pub items: T,
}
impl<T: Decode> Decode for ScanPage<T> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
pub struct StreamEntry;
d!(StreamEntry);
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}
impl<T: Decode> Decode for OneOrMany<T> {
    fn decode(_: Reply<'_>) -> Result<Self, DecodeError> {
        todo!()
    }
}
pub fn ok_or_nil(_: Reply<'_>) -> Result<bool, DecodeError> {
    todo!()
}
