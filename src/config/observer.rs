//! The observer of a config.

use std::{fmt, sync::Arc};

use crate::events::Observer;

/// An observer that all clients with a config share.
#[derive(Clone)]
pub(crate) struct SharedObserver(pub(crate) Arc<dyn Observer>);

impl fmt::Debug for SharedObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an observer")
    }
}

impl Eq for SharedObserver {}

impl PartialEq for SharedObserver {
    /// Observers are equal where they are the same one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
