//! What goes wrong in a cluster, or is changed by its operator.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::error::Error;
use crate::resp::Reply;

use super::{Cluster, Node};

/// The time in which a primary came to its end, without warning.
///
/// What it has accepted before may be lost, because its successor never got it: replication does
/// not wait. That is the servers' doing and no fault of a client's, so the oracles want to know of
/// every outage that there was ([`AppendLog::outage`](crate::oracle::AppendLog::outage)). A failover
/// that the primary takes part in, [`Cluster::fail_over`], loses nothing and is no outage.
#[derive(Clone, Debug)]
pub struct Outage {
    /// The slots that it owned; for a replica none.
    pub slots: Vec<RangeInclusive<u16>>,
    /// Just before it.
    pub begin: Instant,
    /// Just after it: from this moment on the primary did not answer.
    pub down: Instant,
    /// From this moment on it cannot accept anything ever again as a primary. Absent while it can.
    pub end: Option<Instant>,
}

impl Outage {
    /// The outage is over: from now on the former primary cannot accept anything.
    pub fn ends(mut self) -> Self {
        self.end = Some(Instant::now());
        self
    }
}

impl Cluster {
    /// Ends a node at once, as a crash would.
    pub fn kill(&self, node: &Node) -> Result<Outage> {
        let slots = self.slots_of(node)?;
        let begin = Instant::now();
        node.server().kill()?;
        let down = Instant::now();
        Ok(Outage {
            slots,
            begin,
            down,
            end: Some(down),
        })
    }

    /// Waits until other nodes own the slots that this one had, and all agree on that.
    pub fn wait_for_takeover(&self, node: &Node) -> Result<()> {
        self.wait_until("the slots are taken over", || {
            let topology = self.agreement()?;
            match topology.member(node.id()) {
                Some(member) if !member.slots.is_empty() => {
                    Err(Error::failed(format!("{} still owns slots", node.addr())))
                }
                _ => Ok(()),
            }
        })
    }

    /// Starts a node that was killed, once a replica has taken its place, and waits until it is a
    /// replica with all of the data.
    ///
    /// Where no replica can take its place, it comes back as the primary that it was, and empty.
    pub fn restart(&self, node: &Node) -> Result<()> {
        let topology = self.topology()?;
        let has_replica = self
            .nodes_up()
            .iter()
            .filter_map(|other| topology.member(other.id()))
            .any(|member| member.primary.as_deref() == Some(node.id()));
        if has_replica {
            self.wait_for_takeover(node)?;
        }
        node.server().restart()?;
        self.wait_until_stable()
    }

    /// Freezes a node: its connections stay open and it does not answer.
    ///
    /// When it goes on, it first does what clients have sent it meanwhile, as if nothing had
    /// happened, and then learns that it was replaced. So its outage ends later:
    ///
    /// ```no_run
    /// # use respec_testkit::{Cluster, Variant};
    /// # let cluster = Cluster::start(Variant::Valkey91)?;
    /// let primary = cluster.primary_of(0)?;
    /// let outage = cluster.pause(&primary)?;
    /// cluster.wait_for_takeover(&primary)?;
    /// cluster.resume(&primary)?;
    /// cluster.wait_until_stable()?;
    /// let outage = outage.ends();
    /// # Ok::<(), respec_testkit::Error>(())
    /// ```
    pub fn pause(&self, node: &Node) -> Result<Outage> {
        let slots = self.slots_of(node)?;
        let begin = Instant::now();
        node.server().pause()?;
        Ok(Outage {
            slots,
            begin,
            down: Instant::now(),
            end: None,
        })
    }

    /// Lets a frozen node go on.
    pub fn resume(&self, node: &Node) -> Result<()> {
        node.server().resume()
    }

    /// Makes a replica the primary of its shard, in agreement with the primary, and waits until all
    /// nodes agree and follow.
    pub fn fail_over(&self, replica: &Node) -> Result<()> {
        let mut asked: Option<Instant> = None;
        self.wait_until("the replica is the primary", || {
            let topology = replica.topology()?;
            let member = topology.member(replica.id());
            if member.is_some_and(|member| member.is_primary()) {
                return Ok(());
            }
            // A primary that does not get round to it in time lets the matter rest.
            if asked.is_none_or(|asked| asked.elapsed() >= MANUAL_FAILOVER_TIMEOUT) {
                replica.run(&[b"CLUSTER", b"FAILOVER"])?;
                asked = Some(Instant::now());
            }
            Err(Error::failed(format!(
                "{} is still a replica",
                replica.addr()
            )))
        })?;
        self.wait_until_stable()
    }

    /// Makes all nodes forget who owns these slots; the cluster is then not stable.
    pub fn delete_slots(&self, slots: RangeInclusive<u16>) -> Result<()> {
        // A node believes what the owner still says while it has not forgotten.
        self.wait_until("the slots have no owner", || {
            let mut owned = None;
            for node in self.nodes_up() {
                let topology = node.topology()?;
                for slot in slots.clone() {
                    let Some(owner) = topology.owner(slot) else {
                        continue;
                    };
                    owned = Some(format!(
                        "{} says that {} owns {slot}",
                        node.addr(),
                        owner.id
                    ));
                    let slot = slot.to_string();
                    match node.ask(&[b"CLUSTER", b"DELSLOTS", slot.as_bytes()])? {
                        // It has just heard so by itself.
                        Reply::Error(error) if error.contains("already unassigned") => {}
                        Reply::Error(error) => return Err(Error::failed(error)),
                        _ => {}
                    }
                }
            }
            owned.map_or(Ok(()), |owned| Err(Error::failed(owned)))
        })
    }

    /// Gives slots that nobody owns to a primary, and waits until all nodes agree.
    pub fn add_slots(&self, slots: RangeInclusive<u16>, primary: &Node) -> Result<()> {
        let (first, last) = (slots.start().to_string(), slots.end().to_string());
        let [first, last] = [first.as_bytes(), last.as_bytes()];
        primary.run(&[b"CLUSTER", b"ADDSLOTSRANGE", first, last])?;
        self.wait_for_owner(slots, primary)
    }

    /// Starts another node, which becomes a primary without slots, and waits until the cluster is
    /// stable with it.
    pub fn add_node(&self) -> Result<Arc<Node>> {
        let node = self.options.start_node()?;
        for other in self.nodes_up() {
            node.meet(&other)?;
        }
        self.lock_nodes().push(Arc::clone(&node));
        // A new node refuses to work for two seconds, in case it has not yet heard of everything.
        self.wait_until_stable()?;
        Ok(node)
    }

    /// Makes a node without slots a replica, and waits until it has the data.
    pub fn replicate(&self, replica: &Node, primary: &Node) -> Result<()> {
        self.make_replica(replica, primary)?;
        self.wait_until("the replica has the data", || {
            let topology = self.agreement()?;
            let member = topology.member(replica.id());
            if member.and_then(|member| member.primary.as_deref()) != Some(primary.id()) {
                return Err(Error::failed(format!(
                    "{} is not a replica yet",
                    replica.addr()
                )));
            }
            self.check_replication(replica, &topology)
        })
    }

    /// Makes the others forget a node, which has no slots, and is no longer one of the cluster's.
    /// It goes on running for as long as the caller holds it, and thinks nothing has happened.
    pub fn forget(&self, node: &Node) -> Result<()> {
        let topology = self.topology()?;
        if topology
            .member(node.id())
            .is_some_and(|member| !member.slots.is_empty())
        {
            return Err(Error::failed(format!("{} still owns slots", node.addr())));
        }
        for other in self.nodes_up() {
            if other.id() != node.id() {
                other.run(&[b"CLUSTER", b"FORGET", node.id().as_bytes()])?;
            }
        }
        self.lock_nodes().retain(|other| other.id() != node.id());
        Ok(())
    }

    /// Makes a replica the primary of its shard although the others have not elected it, as an operator
    /// does where they cannot.
    pub fn take_over(&self, replica: &Node) -> Result<()> {
        replica.run(&[b"CLUSTER", b"FAILOVER", b"TAKEOVER"])
    }

    /// The slots of a node as it sees it, or the others if it cannot say.
    fn slots_of(&self, node: &Node) -> Result<Vec<RangeInclusive<u16>>> {
        let topology = if node.is_up() {
            node.topology()
        } else {
            self.topology()
        };
        let topology = topology?;
        let member = topology.member(node.id());
        Ok(member
            .map(|member| member.slots.clone())
            .unwrap_or_default())
    }
}

/// After this a server gives up, and one may ask again.
const MANUAL_FAILOVER_TIMEOUT: Duration = Duration::from_secs(6);
