//! Which node of a shard a read goes to.

use std::time::{Duration, Instant};

use super::{
    node::{NodeId, Nodes},
    topology::Shard,
};
use crate::config::ReadFrom;

impl ReadFrom {
    /// The node of a shard that a read goes to.
    ///
    /// Nodes that failed lately are left out while there are others, and so is the one to `avoid`.
    pub(super) fn choose(
        &self,
        shard: &Shard,
        nodes: &Nodes,
        avoid: Option<NodeId>,
        now: Instant,
        random: u64,
    ) -> NodeId {
        let primary = shard.primary;
        let is_good = |id: &NodeId| Some(*id) != avoid && !nodes.is_suspect(*id, now);
        let good: Vec<NodeId> = shard.replicas.iter().copied().filter(is_good).collect();
        let good_primary = Some(primary).filter(is_good);
        let chosen = match self {
            Self::Primary => return primary,
            Self::PreferReplica => pick(&good, random).or(good_primary),
            Self::Any => {
                let all: Vec<_> = good.iter().copied().chain(good_primary).collect();
                pick(&all, random)
            }
            Self::Nearest => good
                .iter()
                .copied()
                .chain(good_primary)
                // One that was not measured yet is tried first, so that it will be.
                .min_by_key(|id| nodes.get(*id).and_then(|node| node.latency)),
            Self::Zone(zone) => {
                let is_near = |id: &NodeId| {
                    let node = nodes.get(*id);
                    node.is_some_and(|node| node.zone.as_ref() == Some(zone))
                };
                let near: Vec<_> = good.iter().copied().filter(is_near).collect();
                pick(&near, random)
                    .or(good_primary.filter(is_near))
                    .or(pick(&good, random))
                    .or(good_primary)
            }
        };
        chosen
            // Nobody is good: whoever is not the one that has just failed.
            .or_else(|| {
                let others: Vec<_> = [primary]
                    .into_iter()
                    .chain(shard.replicas.iter().copied())
                    .filter(|id| Some(*id) != avoid)
                    .collect();
                pick(&others, random)
            })
            .unwrap_or(primary)
    }
}

/// One of several by chance.
pub(crate) fn pick<T: Copy>(from: &[T], random: u64) -> Option<T> {
    let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
    usize::try_from(random % count)
        .ok()
        .and_then(|at| from.get(at))
        .copied()
}

/// How often the nodes are measured, where that matters.
pub(crate) const MEASURE_EVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::NodeAddress;

    /// A primary and two replicas.
    struct Script {
        nodes: Nodes,
        shard: Shard,
        now: Instant,
    }

    impl Script {
        fn new() -> Self {
            let mut nodes = Nodes::default();
            let [primary, one, other] =
                [1, 2, 3].map(|port| nodes.at(&NodeAddress::new("h", port)));
            Self {
                nodes,
                shard: Shard {
                    primary,
                    replicas: vec![one, other],
                },
                now: Instant::now(),
            }
        }

        fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
            change(&mut self);
            self
        }

        /// The ports that reads go to.
        fn ports(&self, from: &ReadFrom, avoid: Option<NodeId>) -> Vec<u16> {
            let mut ports: Vec<_> = (0..6)
                .map(|random| from.choose(&self.shard, &self.nodes, avoid, self.now, random))
                .map(|id| self.nodes.get(id).unwrap().address.port())
                .collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        }

        fn node(&mut self, port: u16) -> &mut crate::cluster::node::Node {
            let id = self.nodes.find(&NodeAddress::new("h", port)).unwrap();
            self.nodes.get_mut(id).unwrap()
        }
    }

    #[test]
    fn each_preference_has_its_nodes() {
        let script = Script::new().with(|script| {
            for (port, zone, latency) in [(1, "a", 9), (2, "b", 5), (3, "c", 7)] {
                script.node(port).zone = Some(zone.into());
                script.node(port).latency = Some(Duration::from_millis(latency));
            }
        });
        for (from, ports) in [
            (ReadFrom::Primary, vec![1]),
            (ReadFrom::PreferReplica, vec![2, 3]),
            (ReadFrom::Any, vec![1, 2, 3]),
            (ReadFrom::Nearest, vec![2]),
            (ReadFrom::Zone("c".into()), vec![3]),
            (ReadFrom::Zone("a".into()), vec![1]),
            (ReadFrom::Zone("elsewhere".into()), vec![2, 3]),
        ] {
            assert_eq!(script.ports(&from, None), ports, "{from:?}");
        }
    }

    #[test]
    fn a_node_that_failed_is_left_out_for_a_while() {
        let mut script = Script::new().with(|script| {
            let now = script.now;
            script.node(2).failed = Some(now);
        });
        assert_eq!(script.ports(&ReadFrom::PreferReplica, None), [3]);
        script.now += Duration::from_secs(2);
        assert_eq!(script.ports(&ReadFrom::PreferReplica, None), [2, 3]);
    }

    #[test]
    fn another_node_is_tried_than_the_one_that_has_just_failed() {
        let script = Script::new();
        let one = script.shard.replicas[0];
        assert_eq!(script.ports(&ReadFrom::PreferReplica, Some(one)), [3]);
        let alone = Script::new().with(|script| script.shard.replicas.truncate(1));
        assert_eq!(alone.ports(&ReadFrom::PreferReplica, Some(one)), [1]);
        let primary = Script::new().with(|script| script.shard.replicas.clear());
        let avoid = Some(primary.shard.primary);
        assert_eq!(primary.ports(&ReadFrom::Any, avoid), [1]);
    }

    #[test]
    fn what_was_not_measured_is_tried() {
        let script = Script::new().with(|script| {
            script.node(1).latency = Some(Duration::from_millis(1));
            script.node(2).latency = Some(Duration::from_millis(1));
        });
        assert_eq!(script.ports(&ReadFrom::Nearest, None), [3]);
    }
}
