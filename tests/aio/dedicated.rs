//! Connections of one caller's own.

use std::time::Duration;

use respec::{Client, ErrorKind, aio::Dedicated};
use respec_testkit::{Server, Variant};

use crate::support::{client, hasty, info, server, until, words};

async fn id(dedicated: &Dedicated) -> String {
    dedicated.send(words("CLIENT ID")).await.unwrap()
}

#[tokio::test]
async fn a_connection_shows_whom_it_talks_to() {
    let dedicated = client().await.dedicated().await.unwrap();
    let shown = format!("{dedicated:?}");
    let id = format!("id: Some({})", id(&dedicated).await);
    assert!(shown.contains(&id), "{shown}");
    assert!(shown.contains("redis") && shown.contains(server().version()));
}

#[tokio::test]
async fn a_failing_authentication_shifts_nobodys_reply() {
    for variant in [Variant::Redis70, Variant::Redis82, Variant::Valkey91] {
        let client = Client::connect(&respec_testkit::shared(variant).url()).await;
        let dedicated = client.unwrap().dedicated().await.unwrap();
        let auth = || words("AUTH nobody wrong");

        let batch = dedicated.pipeline((words("PING"), auth(), words("PING")));
        assert_eq!(batch.await.unwrap_err().kind(), ErrorKind::Refused);
        let (ping, refused) =
            tokio::join!(dedicated.send(words("ECHO before")), dedicated.send(auth()));
        assert_eq!(ping.unwrap(), "before");
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
        let (error, ping) =
            tokio::join!(dedicated.send(auth()), dedicated.send(words("ECHO behind")));
        assert_eq!(error.unwrap_err().code(), Some("WRONGPASS"));
        assert_eq!(ping.unwrap(), "behind");
        assert_eq!(dedicated.send(words("ECHO last")).await.unwrap(), "last");
    }
}

#[tokio::test]
async fn a_blocking_command_ends_a_dedicated_connection_when_it_is_given_up() {
    let server = Server::start(Variant::Redis70).unwrap();
    let client = Client::from_config(hasty(&server));
    let dedicated = client.dedicated().await.unwrap();
    let pop = dedicated.send(words("BLPOP nothing 0"));
    let given_up = tokio::time::timeout(Duration::from_millis(50), pop).await;
    assert!(given_up.is_err());
    until("the pop has ended", async || {
        info(&server, "blocked_clients") == "0"
    })
    .await;
    let error = dedicated.send(words("PING")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}
