//! The commands of a Sentinel, which a client reaches as any single server.

use std::time::Duration;

use respec::{Client, ErrorKind, blocking, cmd, command::Patience, prelude::*};
use respec_testkit::{Cluster, Server, Variant};

/// A primary, and a Sentinel that watches it.
fn watched(variant: Variant) -> (Server, Server) {
    let primary = Server::builder(variant).modules(false).start().unwrap();
    let sentinel = Server::builder(variant).sentinel("").start().unwrap();
    (primary, sentinel)
}

#[test]
fn d21_a_sentinel_is_a_server_for_the_blocking_client() {
    for variant in [Variant::Redis70, Variant::Valkey91] {
        let (primary, sentinel) = watched(variant);
        let client = blocking::Client::connect(&sentinel.url()).unwrap();
        let port = primary.port();
        client
            .sentinel_monitor("main", "127.0.0.1", port, 2)
            .send()
            .unwrap();
        let address = client.sentinel_get_master_addr_by_name("main").send();
        let expected = ("127.0.0.1".to_owned(), u64::from(port));
        assert_eq!(address.unwrap(), Some(expected));
        let nobody = client.sentinel_get_master_addr_by_name("nobody").send();
        assert_eq!(nobody.unwrap(), None);
        let primaries = client.sentinel_masters().send().unwrap();
        assert_eq!(primaries.len(), 1);
        assert_eq!(
            (&*primaries[0].name, primaries[0].quorum),
            (&b"main"[..], 2)
        );
        let error = client.sentinel_master("nobody").send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        // One Sentinel is no quorum of two.
        let error = client.sentinel_ckquorum("main").send().unwrap_err();
        assert_eq!(error.code(), Some("NOQUORUM"));
        client.sentinel_remove("main").send().unwrap();
        assert!(client.sentinel_masters().send().unwrap().is_empty());
    }
}

#[tokio::test]
async fn d21_a_sentinel_is_a_server_for_the_async_client() {
    let (primary, sentinel) = watched(Variant::Redis70);
    let client = Client::connect(&sentinel.url()).await.unwrap();
    let port = primary.port();
    let (main, absent) = client
        .pipeline((
            cmd::sentinel_monitor("main", "127.0.0.1", port, 1),
            cmd::sentinel_get_master_addr_by_name("main"),
            cmd::sentinel_get_master_addr_by_name("nobody"),
        ))
        .await
        .map(|((), main, absent)| (main, absent))
        .unwrap();
    assert_eq!(main.map(|(_, port)| port), Some(u64::from(port)));
    assert_eq!(absent, None);
    let periods = client.sentinel_debug().await.unwrap();
    assert_eq!(periods.get("INFO-PERIOD"), Some(&10_000));
    let settings = client.sentinel_config_get("resolve-hostnames").await;
    assert_eq!(&*settings.unwrap()["resolve-hostnames"], b"no");
}

/// No node of a cluster is a Sentinel, so that none is guessed.
#[test]
fn d21_a_cluster_has_no_sentinel_among_its_nodes() {
    let cluster = Cluster::start(Variant::Redis70).unwrap();
    let client = blocking::Client::connect(&cluster.url()).unwrap();
    let error = client.sentinel_myid().send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(!error.may_have_executed());
}

#[test]
fn what_a_server_says_of_a_value_in_its_memory() {
    let server = respec_testkit::shared(Variant::Redis82);
    let client = blocking::Client::connect(&server.url()).unwrap();
    client.rpush("sentinel:list", ["a", "b"]).send().unwrap();
    let list = client.debug_object("sentinel:list").send().unwrap();
    assert_eq!((&*list.encoding, list.refcount), ("listpack", 1));
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("maxmemory-policy", "allkeys-lfu");
        let server = server.start().unwrap();
        let client = blocking::Client::connect(&server.url()).unwrap();
        client.set("held", "v").send().unwrap();
        let held = client.debug_object("held").send().unwrap();
        // Valkey tells how often it is used in place of when.
        let told = (held.lru.is_some(), held.lfu_freq.is_some());
        let is_valkey = variant == Variant::Valkey91;
        assert_eq!(told, (!is_valkey, is_valkey), "{variant}: {held:?}");
    }
    let digests = client
        .debug_digest_value(["sentinel:list", "sentinel:none"])
        .send()
        .unwrap();
    assert_eq!((digests.len(), digests[0].len()), (2, 40));
    let half_a_second = Duration::from_millis(500);
    assert_eq!(
        cmd::debug_sleep(0.5).patience(),
        Patience::Up(half_a_second)
    );
}
