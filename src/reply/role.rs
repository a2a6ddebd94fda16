//! `ROLE`.

use bytes::Bytes;

use super::{Decode, DecodeError, Parts, RoleReplica, Value};
use crate::resp::Reply;

/// What a server is in replication, which the first element of the reply tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// It takes writes, and other servers may follow it.
    #[non_exhaustive]
    Primary {
        /// How many bytes it has replicated.
        offset: u64,
        /// The servers that follow it.
        replicas: Vec<RoleReplica>,
        /// What newer servers send besides.
        rest: Vec<Value>,
    },
    /// It follows a primary.
    #[non_exhaustive]
    Replica {
        /// Host of the primary.
        host: String,
        /// Port of the primary.
        port: u64,
        /// `none`, `connect`, `connecting`, `handshake`, `sync` or `connected`.
        state: String,
        /// How many bytes it has received; -1 before the link is up.
        offset: i64,
        /// What newer servers send besides.
        rest: Vec<Value>,
    },
    /// It watches primaries.
    #[non_exhaustive]
    Sentinel {
        /// The names of the primaries.
        primaries: Vec<Bytes>,
        /// What newer servers send besides.
        rest: Vec<Value>,
    },
    /// What this crate does not know, as it arrived.
    Other(Value),
}

impl Decode for Role {
    #[inline]
    fn decode(reply: Reply<'_>) -> Result<Self, DecodeError> {
        let mut parts = Parts::of(reply)?;
        let role: Bytes = parts.required("role")?;
        match &*role {
            b"master" => Ok(Self::Primary {
                offset: parts.required("offset")?,
                replicas: parts.required("replicas")?,
                rest: parts.rest()?,
            }),
            b"slave" => Ok(Self::Replica {
                host: parts.required("host")?,
                port: parts.required("port")?,
                state: parts.required("state")?,
                offset: parts.required("offset")?,
                rest: parts.rest()?,
            }),
            b"sentinel" => Ok(Self::Sentinel {
                primaries: parts.required("primaries")?,
                rest: parts.rest()?,
            }),
            _ => Value::decode(reply).map(Self::Other),
        }
    }
}
