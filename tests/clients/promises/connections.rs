//! Several shared connections to a server.

use respec::{Config, prelude::*};
use respec_testkit::Variant;

use super::{Client, NAME, PROTOCOLS, config, spawn};
use crate::{clusters, until, words::words};

/// How many connections of that name a server has.
async fn open(client: &Client, name: &str) -> usize {
    let lists = done!(client.each_primary().send(words("CLIENT LIST"))).unwrap();
    let name = format!("name={name} ");
    let lists = lists.into_iter().map(|(_, list)| list.unwrap());
    let counts = lists.map(|list| list.lines().filter(|line| line.contains(&name)).count());
    counts.max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_spread_over_as_many_shared_connections_as_are_wanted() {
    // The other client has one for each call in any case.
    if NAME != "async" {
        return;
    }
    let mut all = Vec::new();
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            all.push(config(respec_testkit::shared(variant)).protocol(protocol));
        }
    }
    all.extend(clusters::urls().map(|(url, _)| Config::from_url(&url).unwrap()));
    for (at, config) in all.into_iter().enumerate() {
        let name = format!("{NAME}-connections-{at}");
        let client = Client::from_config(config.client_name(&name).connections(4));
        let mut tasks = Vec::new();
        for task in 0..8 {
            let client = client.clone();
            tasks.push(spawn(async move {
                for number in 0..100 {
                    let key = format!("connections:{at}:{task}:{number}");
                    reply!(client.set(&key, number)).unwrap();
                    let read: Option<u32> = reply!(client.getdel(&key).decode()).unwrap();
                    assert_eq!(read, Some(number));
                }
            }));
        }
        for task in tasks {
            task.join().await;
        }
        assert_eq!(open(&client, &name).await, 4, "{name}");
        // All of them are made anew.
        let gone = client.stats().lost;
        for (_, killed) in done!(client.each_node().send(words("CLIENT KILL TYPE normal"))).unwrap()
        {
            killed.unwrap();
        }
        let lost = async || client.stats().lost > gone;
        until("the client has seen it", lost).await;
        for number in 0..100 {
            // What only reads is sent again where a connection has not been seen to end.
            reply!(client.get(format!("connections:{at}:{number}"))).unwrap();
        }
        assert_eq!(open(&client, &name).await, 4, "{name}");
    }
}
