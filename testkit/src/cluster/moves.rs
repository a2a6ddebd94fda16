//! Moving slots from one primary to another.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::Result;
use crate::error::Error;
use crate::resp::Reply;

use super::{Cluster, Node};

/// The move of one slot in single steps, which a test may stop between.
///
/// ```no_run
/// # use respec_testkit::{Cluster, Variant};
/// # let cluster = Cluster::start(Variant::Redis82)?;
/// let target = &cluster.primaries()?[1];
/// let step = cluster.slot_move(0, target)?;
/// step.open()?; // from here on `ASK` for keys that the source does not have
/// step.move_keys(1)?; // `TRYAGAIN` for several keys of which one has moved
/// step.move_all_keys()?;
/// step.assign()?; // from here on `MOVED`
/// # Ok::<(), respec_testkit::Error>(())
/// ```
///
/// [`run`](Self::run) does it all. Dropping the value leaves the slot as it is.
pub struct SlotMove<'c> {
    cluster: &'c Cluster,
    slot: u16,
    source: Arc<Node>,
    target: Arc<Node>,
}

impl Cluster {
    /// Prepares to move a slot from the primary that owns it, and changes nothing yet.
    pub fn slot_move(&self, slot: u16, target: &Arc<Node>) -> Result<SlotMove<'_>> {
        let source = self.primary_of(slot)?;
        if source.id() == target.id() {
            return Err(Error::failed(format!(
                "{} owns slot {slot} already",
                source.addr()
            )));
        }
        Ok(SlotMove {
            cluster: self,
            slot,
            source,
            target: Arc::clone(target),
        })
    }

    /// Moves a slot with all of its keys, and waits until all nodes agree on where it is.
    pub fn move_slot(&self, slot: u16, target: &Arc<Node>) -> Result<()> {
        self.slot_move(slot, target)?.run()
    }

    /// Has the servers move slots by themselves, which Valkey 9 can, and waits until all nodes agree
    /// on where they are. All are owned by one primary before.
    pub fn migrate_slots(&self, slots: RangeInclusive<u16>, target: &Node) -> Result<()> {
        let source = self.primary_of(*slots.start())?;
        let (first, last) = (slots.start().to_string(), slots.end().to_string());
        source.run(&[
            b"CLUSTER",
            b"MIGRATESLOTS",
            b"SLOTSRANGE",
            first.as_bytes(),
            last.as_bytes(),
            b"NODE",
            target.id().as_bytes(),
        ])?;
        self.wait_for_owner(slots, target)
    }

    /// Waits until all nodes agree that one node owns these slots.
    pub(super) fn wait_for_owner(&self, slots: RangeInclusive<u16>, owner: &Node) -> Result<()> {
        self.wait_until("the slots have their new owner", || {
            let topology = self.agreement()?;
            let owns = |slot| topology.member(owner.id()).is_some_and(|m| m.owns(slot));
            match slots.clone().find(|slot| !owns(*slot)) {
                Some(slot) => Err(Error::failed(format!(
                    "{} does not own slot {slot}",
                    owner.addr()
                ))),
                None => Ok(()),
            }
        })
    }
}

impl SlotMove<'_> {
    /// The slot that moves.
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// The primary that gives the slot away.
    pub fn source(&self) -> &Arc<Node> {
        &self.source
    }

    /// The primary that gets the slot.
    pub fn target(&self) -> &Arc<Node> {
        &self.target
    }

    /// Does all the steps.
    pub fn run(&self) -> Result<()> {
        self.open()?;
        self.move_all_keys()?;
        self.assign()
    }

    /// Makes both nodes ready, in the order in which no client is sent away in vain.
    pub fn open(&self) -> Result<()> {
        self.import()?;
        self.export()
    }

    /// The target takes commands on the slot from those who say `ASKING`.
    pub fn import(&self) -> Result<()> {
        self.set_slot(&self.target, &[b"IMPORTING", self.source.id().as_bytes()])
    }

    /// The source sends away, with `ASK`, those who want a key that it does not have.
    pub fn export(&self) -> Result<()> {
        self.set_slot(&self.source, &[b"MIGRATING", self.target.id().as_bytes()])
    }

    /// Moves at most so many keys and returns how many there were to move.
    pub fn move_keys(&self, at_most: usize) -> Result<usize> {
        let keys = self.keys(at_most)?;
        if keys.is_empty() {
            return Ok(0);
        }
        let port = self.target.server().port().to_string();
        let mut parts: Vec<&[u8]> = vec![b"MIGRATE", b"127.0.0.1", port.as_bytes()];
        parts.extend([&b""[..], b"0", MIGRATE_TIMEOUT, b"KEYS"]);
        parts.extend(keys.iter().map(Vec::as_slice));
        // Not like other questions: it takes its time.
        let reply = self.source.command(&parts)?;
        match reply.as_slice() {
            // The keys may be gone by now.
            b"+OK\r\n" | b"+NOKEY\r\n" => Ok(keys.len()),
            other => Err(Error::failed(format!(
                "MIGRATE at {}: {}",
                self.source.addr(),
                String::from_utf8_lossy(other).trim_end()
            ))),
        }
    }

    /// Moves keys until the source has none left.
    pub fn move_all_keys(&self) -> Result<()> {
        while self.move_keys(BATCH)? > 0 {}
        Ok(())
    }

    /// Tells the target, the source and the other primaries whose the slot is now, in this order,
    /// and waits until all nodes agree.
    pub fn assign(&self) -> Result<()> {
        self.assign_at(&self.target)?;
        self.assign_at(&self.source)?;
        for primary in self.cluster.primaries()? {
            let told = [self.source.id(), self.target.id()].contains(&primary.id());
            if !told && primary.is_up() {
                self.assign_at(&primary)?;
            }
        }
        self.cluster
            .wait_for_owner(self.slot..=self.slot, &self.target)
    }

    /// Tells one primary that the slot is the target's. The others hear of it from the target.
    pub fn assign_at(&self, node: &Node) -> Result<()> {
        self.set_slot(node, &[b"NODE", self.target.id().as_bytes()])
    }

    /// Ends the move where it is. Keys that have moved are then out of reach.
    pub fn cancel(&self) -> Result<()> {
        self.set_slot(&self.source, &[b"STABLE"])?;
        self.set_slot(&self.target, &[b"STABLE"])
    }

    fn set_slot(&self, node: &Node, what: &[&[u8]]) -> Result<()> {
        let slot = self.slot.to_string();
        node.run(&[&[b"CLUSTER", b"SETSLOT", slot.as_bytes()], what].concat())
    }

    fn keys(&self, at_most: usize) -> Result<Vec<Vec<u8>>> {
        let (slot, at_most) = (self.slot.to_string(), at_most.to_string());
        let [slot, at_most] = [slot.as_bytes(), at_most.as_bytes()];
        let parts: &[&[u8]] = &[b"CLUSTER", b"GETKEYSINSLOT", slot, at_most];
        let reply = self.source.ask(parts)?;
        let keys = match &reply {
            Reply::Array(keys) => keys.iter().map(|key| match key {
                Reply::Text(key) => Some(key.clone()),
                _ => None,
            }),
            _ => return Err(self.source.unexpected(parts, "an array", &reply)),
        };
        keys.collect::<Option<_>>()
            .ok_or_else(|| self.source.unexpected(parts, "keys", &reply))
    }
}

impl fmt::Debug for SlotMove<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotMove")
            .field("slot", &self.slot)
            .field("source", &self.source.addr())
            .field("target", &self.target.addr())
            .finish_non_exhaustive()
    }
}

/// How many keys are moved at a time: the servers do nothing else meanwhile.
const BATCH: usize = 100;
/// In milliseconds, for both servers together.
const MIGRATE_TIMEOUT: &[u8] = b"10000";
