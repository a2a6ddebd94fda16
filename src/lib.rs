#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    allow(
        dead_code,
        unused_imports,
        reason = "the machines hold what only one of the two clients uses"
    )
)]
//!
//! # The map
//!
//! - [`Client`] and [`blocking::Client`] carry commands; [`prelude`] has their methods.
//! - [`commands`] has every command with its options, one module for each group; [`cmd`] makes
//!   commands that belong to no client.
//! - [`command`] says what a command is and what may be passed to one; [`reply`] what comes back.
//! - [`cluster`] has the slots of keys and how nodes are found and chosen.
//! - [`Config`] has the settings and their URL form; [`Error`] answers questions.
//! - [`observe`] shows what happens to a client.
//! - [`resp`] is the protocol, for those who want to speak it themselves.

// Nothing panics on bytes from outside; where an invariant rules a panic out, it says so there.
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod address;
#[cfg(feature = "async")]
pub mod aio;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "the pools use a part of it")
)]
mod back_off;
#[cfg(feature = "blocking")]
pub mod blocking;
mod call;
#[cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    allow(dead_code, unused_imports, reason = "each driver uses a part of it")
)]
pub mod cluster;
pub mod cmd;
pub mod code;
pub mod command;
pub mod commands;
mod config;
mod error;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "without a client nobody listens")
)]
mod events;
#[cfg(any(feature = "async", feature = "blocking"))]
#[cfg_attr(
    not(feature = "blocking"),
    allow(dead_code, reason = "the async driver uses a part of it")
)]
#[cfg_attr(
    not(feature = "async"),
    allow(dead_code, reason = "the blocking driver has no shared connections")
)]
mod link;
mod mutant;
pub mod observe;
pub mod prelude;
#[cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    allow(dead_code, unused_imports, reason = "each driver uses a part of it")
)]
mod protocol;
pub mod reply;
pub mod resp;
mod secret;
#[cfg(any(feature = "async", feature = "blocking"))]
mod socket;

pub use address::Address;
#[cfg(feature = "async")]
pub use aio::Client;
pub use call::{CallOptions, RetryPolicy};
pub use config::{
    Config, Dialler, Dialling, Integrity, Offline, Protocol, Resolver, Settings, Socket,
};
pub use error::{Error, ErrorKind, Phase, Result};
#[cfg(any(feature = "async", feature = "blocking"))]
pub use link::PoolStats;
pub use reply::Value;
pub use secret::Secret;
