//! What is kept of a call that a listener watches, while it goes its way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use crate::address::Address;

/// How often a call was sent again and where it was sent to last; shared by all of its parts.
#[derive(Debug, Default)]
pub(crate) struct CallRecord {
    retries: AtomicU32,
    redirects: AtomicU32,
    server: Mutex<Option<Arc<Address>>>,
}

impl CallRecord {
    /// It, or a part of it, is sent again.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// It, or a part of it, is sent on to another node.
    pub(super) fn redirected(&self) {
        self.redirects.fetch_add(1, Ordering::Relaxed);
    }

    /// It, or a part of it, is sent to this server.
    pub(crate) fn sent_to(&self, server: Arc<Address>) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// How often it, or a part of it, was sent again.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// How often it, or a part of it, was sent on to another node.
    pub(crate) fn redirects(&self) -> u32 {
        self.redirects.load(Ordering::Relaxed)
    }

    /// Where it was sent to last.
    pub(crate) fn server(&self) -> Option<Arc<Address>> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.clone()
    }
}
