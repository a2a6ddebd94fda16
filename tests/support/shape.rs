//! The kinds of operations that are done while something fails.

#![allow(unreachable_pub, reason = "each program includes it for itself")]

/// The kinds of operations, whose replies have different shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Answers a string; without a key, and so not for a cluster.
    Echo,
    /// Answers an integer, and must be done once.
    Append,
    /// Answers an array.
    Mget,
    /// Answers `OK`.
    Set,
    /// Answers an error.
    Wrong,
}
