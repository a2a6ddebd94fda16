//! Typed sample calls of every command, which `tests/servers` runs on real servers.
//!
//! [`Catalogue`] holds calls of every generated command, which the build script writes from the
//! same model as the client itself, and of those that are written by hand.

mod by_hand;
mod catalogue;

pub use catalogue::{Catalogue, LONG, Need, SEED, Sample, text, with_hostile_texts};
