//! The clusters that all tests of a binary share, and keys in them.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use std::sync::Arc;

use respec_testkit::{Cluster, Variant};

/// The servers whose clusters there are.
pub const VARIANTS: [Variant; 3] = Variant::ALL;

/// Their URLs in both versions of the protocol, each with a name that tells them apart.
pub fn urls() -> impl Iterator<Item = (String, String)> {
    VARIANTS.into_iter().flat_map(|variant| {
        ["resp2", "resp3"].map(|protocol| {
            let url = Cluster::shared(variant).url();
            let url = format!("{url}?protocol={protocol}");
            (url, format!("{variant:?}:{protocol}"))
        })
    })
}

/// A cluster of the caller's own, in which one shard's trouble is not that of the others.
pub fn own(variant: Variant) -> Arc<Cluster> {
    let cluster = Cluster::builder(variant).require_full_coverage(false);
    Arc::new(cluster.start().unwrap())
}

/// Keys that lie in many slots of all nodes.
pub fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}:{at}")).collect()
}
