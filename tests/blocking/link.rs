//! The link to a server: when it is left and looked at, and what its errors say.

use respec::{Config, blocking::Client};
use respec_testkit::{Server, Variant};

use crate::support::words;

fn tcp(server: &Server) -> Config {
    Config::tcp("127.0.0.1", server.port())
}

fn id(client: &Client) -> String {
    format!("{:?}", client.send(words("CLIENT ID")).unwrap())
}

#[test]
fn c10_a_connection_that_has_ended_is_replaced_before_it_is_used() {
    let server = Server::start(Variant::Redis82).unwrap();
    let client = Client::from_config(tcp(&server));
    let before = id(&client);
    crate::pool_support::kill_all(&server);
    assert_ne!(id(&client), before);
    assert_eq!(client.pool_stats().closed_broken, 1);
}
