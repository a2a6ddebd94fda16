//! A scan over all nodes of a cluster, from its beginning to its end.
//!
//! ```text
//!            ┌───────────────── page ──────────────────┐
//!            ▼                                         │
//!   next ──▶ Page ──▶ the node answers ──┬─ a page ────┤
//!     ▲                                  └─ trouble    │ the last one
//!     │                                       │        │
//!     └── refreshed ◀── Refresh ◀─────────────┴────────┘──▶ End, when all slots were seen
//! ```

use std::time::{Duration, Instant};

use super::redirect::is_answer;
use crate::{
    cluster::{NodeId, SlotCoverage},
    command::{Info, Routing},
    config::Config,
    error::{Error, Result},
    reply::Scanned,
};

/// Knows which page of which node comes next.
#[derive(Debug)]
pub(crate) struct ClusterScan {
    coverage: SlotCoverage,
    /// The node of the pass that is under way, and the cursor there.
    pass: Option<(NodeId, u64)>,
    /// The topology was asked for since a pass came to its end.
    fresh: bool,
    /// Since when there was nothing but trouble.
    failing: Option<Instant>,
    /// How long there may be.
    patience: Duration,
}

/// What a driver does next for a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanStep {
    /// Ask this node for the page behind a cursor.
    Page(NodeId, u64),
    /// Ask for the topology, and call [`ClusterScan::refreshed`].
    Refresh,
    /// Nothing: every slot was seen where it is now.
    End,
}

impl ClusterScan {
    /// The scan that a command begins, unless its key says where that goes.
    pub(crate) fn of(command: &Info, config: &Config) -> Option<Self> {
        let patience = config.response_timeout.unwrap_or(config.connect_timeout);
        (command.routing == Routing::NodeByNode).then(|| Self::new(patience))
    }

    /// A scan that has seen nothing, and gives up after that much time with nothing but trouble.
    fn new(patience: Duration) -> Self {
        Self {
            coverage: SlotCoverage::new(),
            pass: None,
            fresh: false,
            failing: None,
            patience,
        }
    }

    /// What comes next; `owners` has the nodes of all slots.
    pub(crate) fn next(&mut self, owners: impl FnOnce() -> Vec<Option<NodeId>>) -> ScanStep {
        if let Some((node, cursor)) = self.pass {
            return ScanStep::Page(node, cursor);
        }
        if self.failing.is_some() && !self.fresh {
            return ScanStep::Refresh;
        }
        match self.coverage.begin(&owners()) {
            Some(node) => {
                self.pass = Some((node, 0));
                ScanStep::Page(node, 0)
            }
            None if self.fresh => ScanStep::End,
            None => ScanStep::Refresh,
        }
    }

    /// The topology was asked for.
    pub(crate) fn refreshed(&mut self) {
        self.fresh = true;
    }

    /// Takes a page over, of which only what is new is left.
    pub(crate) fn page<T: Scanned>(
        &mut self,
        cursor: u64,
        items: &mut Vec<T>,
        owners: &[Option<NodeId>],
    ) {
        self.failing = None;
        items.retain(|item| item.key().is_none_or(|key| self.coverage.is_new(key)));
        if cursor == 0 {
            self.pass = None;
            self.fresh = false;
            self.coverage.end(owners);
        } else {
            self.pass = self.pass.map(|(node, _)| (node, cursor));
            self.coverage.check(owners);
        }
    }

    /// Lets trouble with a node pass that may be over soon; its pass begins anew.
    ///
    /// # Errors
    ///
    /// It has lasted for too long, or will not pass.
    pub(crate) fn failed(&mut self, error: Error, now: Instant) -> Result<()> {
        // Its successor knows nothing of the cursor.
        self.pass = None;
        self.fresh = false;
        self.coverage.abandon();
        let passing = error.is_connection()
            || error.is_timeout()
            || error
                .server_message()
                .is_some_and(|text| !is_answer(text.as_bytes()));
        let since = *self.failing.get_or_insert(now);
        if !passing || now.saturating_duration_since(since) >= self.patience {
            self.failing = None;
            return Err(error);
        }
        Ok(())
    }

    /// Until when the topology has to be known.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.patience)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        cluster::{NodeAddress, Nodes, SLOTS},
        error::ErrorKind,
    };

    /// A scan of two nodes, each of which has half of the slots.
    struct Script {
        sweep: ClusterScan,
        ids: [NodeId; 2],
        owners: Vec<Option<NodeId>>,
        start: Instant,
    }

    impl Script {
        fn new() -> Self {
            let mut nodes = Nodes::default();
            let ids = [1, 2].map(|port| nodes.at(&NodeAddress::new("h", port)));
            let owner = |slot| Some(ids[usize::from(slot >= SLOTS / 2)]);
            Self {
                sweep: ClusterScan::new(Duration::from_secs(1)),
                ids,
                owners: (0..SLOTS).map(owner).collect(),
                start: Instant::now(),
            }
        }

        fn next(&mut self) -> ScanStep {
            self.sweep.next(|| self.owners.clone())
        }

        /// The keys that are left of a page.
        fn page(&mut self, cursor: u64, keys: &[&'static str]) -> Vec<Bytes> {
            let mut items = keys.iter().map(|key| Bytes::from(*key)).collect();
            self.sweep.page(cursor, &mut items, &self.owners);
            items
        }

        fn fail(&mut self, kind: ErrorKind, ms: u64) -> Result<()> {
            let error = Error::new(kind, "trouble");
            let now = self.start + Duration::from_millis(ms);
            self.sweep.failed(error, now)
        }
    }

    #[test]
    fn the_end_comes_after_all_nodes_and_a_look_at_the_topology() {
        let mut script = Script::new();
        let [one, other] = script.ids;
        assert_eq!(script.next(), ScanStep::Page(one, 0));
        assert_eq!(script.page(7, &["bar"]), ["bar"]);
        assert_eq!(script.next(), ScanStep::Page(one, 7));
        script.page(0, &[]);
        assert_eq!(script.next(), ScanStep::Page(other, 0));
        assert_eq!(script.page(0, &["foo"]), ["foo"]);
        assert_eq!(script.next(), ScanStep::Refresh);
        script.sweep.refreshed();
        assert_eq!(script.next(), ScanStep::End);
    }

    #[test]
    fn slots_that_have_moved_are_scanned_where_they_are() {
        let mut script = Script::new();
        let [one, other] = script.ids;
        script.next();
        script.page(0, &[]);
        script.next();
        script.page(0, &["foo"]);
        // `foo` lies in the upper half.
        script.owners.fill(Some(one));
        assert_eq!(script.next(), ScanStep::Page(one, 0));
        assert_eq!(
            script.page(0, &["bar", "foo"]),
            ["foo"],
            "bar was seen there"
        );
        assert_eq!(script.next(), ScanStep::Refresh);
        script.sweep.refreshed();
        script.owners.fill(Some(other));
        assert_eq!(script.next(), ScanStep::Page(other, 0));
    }

    #[test]
    fn trouble_begins_a_pass_anew_behind_a_look_at_the_topology() {
        let mut script = Script::new();
        let [one, _] = script.ids;
        script.next();
        script.page(9, &[]);
        script.fail(ErrorKind::Connection, 0).unwrap();
        assert_eq!(script.next(), ScanStep::Refresh);
        script.sweep.refreshed();
        assert_eq!(script.next(), ScanStep::Page(one, 0));
        script.fail(ErrorKind::Connect, 999).unwrap();
        assert_eq!(script.next(), ScanStep::Refresh);
        script.sweep.refreshed();
        assert_eq!(script.next(), ScanStep::Page(one, 0));
        assert!(script.fail(ErrorKind::Connect, 1000).is_err());
        // Asked again, it has as much patience as at first.
        assert_eq!(script.next(), ScanStep::Page(one, 0));
        script.fail(ErrorKind::Connect, 1500).unwrap();
    }

    #[test]
    fn an_error_that_is_an_answer_does_not_pass() {
        let mut script = Script::new();
        script.next();
        assert!(script.fail(ErrorKind::Refused, 0).is_err());
        script.next();
        let now = script.start;
        assert!(script.sweep.failed(Error::server(b"ERR no"), now).is_err());
        assert!(script.sweep.failed(Error::server(b"LOADING"), now).is_ok());
    }
}
