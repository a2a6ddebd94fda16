//! Typed sample calls of every command, which `tests/servers` runs on real servers, and
//! `tests/cluster` on real clusters.
//!
//! [`Catalogue`] holds calls of every generated command, which the build script writes from the
//! same model as the client itself, and of those that are written by hand. [`Data`] says what a
//! server holds before each of them, [`Facts`] what it has, and [`Deviations`] what is known to be
//! otherwise than in the spec.

mod by_hand;
mod catalogue;
mod connection;
mod data;
mod deviations;
mod facts;
mod placed;
mod version;

pub use catalogue::{Catalogue, LONG, Need, SEED, Sample, text, with_hostile_texts};
pub use connection::{Connection, NoFrame, encode};
pub use data::{Data, Line, Round, append};
pub use deviations::{Deviations, Seen};
pub use facts::{Facts, list, value};
pub use placed::Placed;
