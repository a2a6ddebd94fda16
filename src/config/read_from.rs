//! Which nodes a caller prefers for what only reads.

use std::sync::Arc;

/// Which node of a shard runs commands that only read.
///
/// It holds for commands that read the values of keys. Everything else goes to primaries. A replica
/// may be behind its primary, so that a caller may not see what it has just written.
///
/// Where no node of the kind that is preferred can be reached, the others are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadFrom {
    /// The primary.
    #[default]
    Primary,
    /// A replica, or the primary where there is none.
    PreferReplica,
    /// The primary or a replica, by chance.
    Any,
    /// Whichever answers fastest.
    Nearest,
    /// One in this availability zone, a replica first; elsewhere a replica as well.
    Zone(Arc<str>),
}

impl ReadFrom {
    /// Whether only primaries are asked.
    ///
    /// Where this is `false`, connections must begin with `READONLY`, which replicas want to hear
    /// once and which means nothing to a primary.
    pub(crate) fn is_primary(&self) -> bool {
        *self == Self::Primary
    }
}
