//! Pipelines and transactions on a real server.

use respec::{Client, ErrorKind};

use crate::support::{client, words};

#[tokio::test]
async fn a_pipeline_answers_as_its_batch() {
    let client = client().await;
    let (set, get) = client
        .pipeline((words("SET batch:a 1"), words("GET batch:a")))
        .await
        .unwrap();
    assert_eq!((set.as_str(), get.as_str()), ("OK", "1"));
    let list = client
        .pipeline((0..3).map(|n| words(&format!("ECHO {n}"))))
        .await
        .unwrap();
    assert_eq!(list, ["0", "1", "2"]);
    let array = client.pipeline([words("ECHO x"), words("ECHO y")]);
    assert_eq!(array.await.unwrap(), ["x", "y"]);
}

#[tokio::test]
async fn ten_thousand_commands_in_one_pipeline() {
    let client = client().await;
    let echo = |n| words(&format!("ECHO {n}"));
    let replies = client.pipeline((0..10_000).map(echo)).await.unwrap();
    assert_eq!(replies.len(), 10_000);
    for (n, reply) in replies.iter().enumerate() {
        assert_eq!(*reply, n.to_string());
    }
}

#[tokio::test]
async fn an_empty_batch_sends_nothing() {
    let nowhere = Client::from_config(respec::Config::tcp("127.0.0.1", 1));
    let none = || std::iter::empty::<crate::support::Words>();
    assert!(nowhere.pipeline(none()).await.unwrap().is_empty());
    assert!(nowhere.transaction(none()).await.unwrap().is_empty());
    assert!(nowhere.pipeline(none()).results().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_first_error_or_every_one() {
    let client = client().await;
    client.send(words("SET batch:s text")).await.unwrap();
    let batch = || (words("ECHO 1"), words("INCR batch:s"), words("ECHO 2"));
    let error = client.pipeline(batch()).await.unwrap_err();
    assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));

    let (one, error, two) = client.pipeline(batch()).results().await.unwrap();
    assert_eq!(one.unwrap(), "1");
    assert_eq!(error.unwrap_err().code(), Some("ERR"));
    assert_eq!(two.unwrap(), "2");
    assert_eq!(client.send(words("ECHO 3")).await.unwrap(), "3");
}

#[tokio::test]
async fn a_transaction_answers_as_its_batch() {
    let client = client().await;
    let (x, y) = client
        .transaction((words("INCR batch:x"), words("DECR batch:y")))
        .await
        .unwrap();
    assert_eq!((x.as_str(), y.as_str()), ("1", "-1"));
}

#[tokio::test]
async fn a_command_that_is_not_queued_stops_the_transaction() {
    let client = client().await;
    let error = client
        .transaction((words("INCR batch:q"), words("GET too many words")))
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.command()), (Some("ERR"), Some("GET")));
    assert_eq!(client.send(words("GET batch:q")).await.unwrap(), "nil");
}

#[tokio::test]
async fn a_command_that_fails_does_not_stop_the_others() {
    let client = client().await;
    client.send(words("SET batch:t text")).await.unwrap();
    let batch = || (words("INCR batch:t"), words("INCR batch:u"));
    let error = client.transaction(batch()).await.unwrap_err();
    assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
    let (error, two) = client.transaction(batch()).results().await.unwrap();
    assert_eq!(error.unwrap_err().code(), Some("ERR"));
    assert_eq!(two.unwrap(), "2");
}

#[tokio::test]
async fn transactions_of_many_tasks_do_not_mix() {
    let client = client().await;
    let mut tasks = Vec::new();
    for task in 0..20 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let key = format!("batch:mix:{task}");
            for round in 1..=50 {
                let commands = [
                    words(&format!("INCR {key}")),
                    words(&format!("ECHO {key}")),
                    words(&format!("DECRBY {key} 0")),
                ];
                let replies = client.transaction(commands).await.unwrap();
                assert_eq!(replies, [round.to_string(), key.clone(), round.to_string()]);
                let echo = client.send(words(&format!("ECHO {key}"))).await.unwrap();
                assert_eq!(echo, key);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_depends_on_what_was_watched() {
    let client = client().await;
    let dedicated = client.dedicated().await.unwrap();
    let batch = || [words("INCR batch:w")];

    dedicated.send(words("WATCH batch:watched")).await.unwrap();
    assert_eq!(dedicated.transaction(batch()).await.unwrap(), ["1"]);

    dedicated.send(words("WATCH batch:watched")).await.unwrap();
    client.send(words("SET batch:watched x")).await.unwrap();
    let error = dedicated.transaction(batch()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert_eq!(client.send(words("GET batch:w")).await.unwrap(), "1");
    assert_eq!(dedicated.transaction(batch()).await.unwrap(), ["2"]);
}

#[tokio::test]
async fn what_would_harm_others_is_refused_before_anything_is_sent() {
    let client = client().await;
    let set = || words("SET batch:refused 1");
    for other in ["BLPOP batch:none 0", "SELECT 1", "SUBSCRIBE c"] {
        let name = other.split(' ').next();
        let error = client.pipeline((set(), words(other))).await.unwrap_err();
        assert_eq!((error.kind(), error.command()), (ErrorKind::Refused, name));
        let error = client.transaction((set(), words(other))).await.unwrap_err();
        assert_eq!((error.kind(), error.command()), (ErrorKind::Refused, name));
    }
    assert_eq!(
        client.send(words("GET batch:refused")).await.unwrap(),
        "nil"
    );
}
