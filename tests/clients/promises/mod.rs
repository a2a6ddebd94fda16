//! What a client promises, whichever it is.

mod batch;
mod client;
mod cluster;
mod connections;
mod dedicated;
mod dialling;
mod end;
mod link;
mod observed;
mod offline;
mod options;
mod pool;
mod secrets;

use respec::{Config, Protocol};
use respec_testkit::{Server, Variant};

use super::{Client, Dedicated, NAME, next_push, spawn};

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];

/// Clients of all servers, in both versions of the protocol, with a prefix for their keys.
fn clients(test: &str) -> Vec<(Client, String)> {
    let mut clients = Vec::new();
    for variant in Variant::ALL {
        for protocol in PROTOCOLS {
            let config = config(respec_testkit::shared(variant)).protocol(protocol);
            let prefix = format!("{NAME}:{test}:{variant:?}:{protocol:?}");
            clients.push((Client::from_config(config), prefix));
        }
    }
    clients
}

fn config(server: &Server) -> Config {
    Config::from_url(&server.url()).unwrap()
}
