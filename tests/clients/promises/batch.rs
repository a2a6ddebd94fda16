//! Pipelines and transactions.

use std::iter;

use respec::{Config, ErrorKind};
use respec_testkit::{Server, Variant};

use super::{Client, clients, spawn};
use crate::words::{Words, args, hasty, words};

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_answers_as_its_batch_is_made() {
    for (client, prefix) in clients("pipeline") {
        done!(client.send(words(&format!("DEL {prefix}")))).unwrap();
        let incr = words(&format!("INCR {prefix}"));
        let pair = reply!(client.pipeline((incr, words("ECHO x")))).unwrap();
        assert_eq!(pair, ("1".to_owned(), "x".to_owned()));
        let list = (0..100).map(|n| words(&format!("ECHO {n}")));
        let list = reply!(client.pipeline(list)).unwrap();
        assert_eq!(list, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
        let array = [words("ECHO x"), words("ECHO y")];
        assert_eq!(reply!(client.pipeline(array)).unwrap(), ["x", "y"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_may_be_long_and_its_replies_large() {
    for (client, prefix) in clients("long") {
        let value = "v".repeat(1000);
        done!(client.send(args(&["SET", &prefix, &value]))).unwrap();
        let get = args(&["GET", &prefix]);
        let replies = reply!(client.pipeline((0..20_000).map(|_| &get))).unwrap();
        assert_eq!(replies.len(), 20_000);
        assert!(replies.iter().all(|reply| *reply == value));

        // More than all buffers between the two ends can hold.
        let echo = args(&["ECHO", &"e".repeat(4 << 20)]);
        let replies = reply!(client.pipeline((0..16).map(|_| &echo))).unwrap();
        assert_eq!(replies.len(), 16);
        assert!(replies.iter().all(|reply| reply.len() == 4 << 20));
        assert_eq!(done!(client.send(words("PING"))).unwrap(), "PONG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_sends_nothing() {
    let nowhere = Client::from_config(Config::tcp("127.0.0.1", 1));
    let none = iter::empty::<Words>;
    assert!(reply!(nowhere.pipeline(none())).unwrap().is_empty());
    assert!(reply!(nowhere.transaction(none())).unwrap().is_empty());
    let results = reply!(nowhere.pipeline(none()).results());
    assert!(results.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_error_or_every_one() {
    for (client, prefix) in clients("errors") {
        let incr = || words(&format!("INCR {prefix}"));
        done!(client.send(words(&format!("SET {prefix} text")))).unwrap();
        let batch = || (words("ECHO 1"), incr(), words("ECHO 2"));
        let error = reply!(client.pipeline(batch())).unwrap_err();
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
        let (one, error, two) = reply!(client.pipeline(batch()).results()).unwrap();
        assert_eq!(one.unwrap(), "1");
        assert_eq!(error.unwrap_err().command(), Some("INCR"));
        assert_eq!(two.unwrap(), "2");

        let batch = || (incr(), words(&format!("INCR {prefix}:n")));
        done!(client.send(words(&format!("DEL {prefix}:n")))).unwrap();
        let error = reply!(client.transaction(batch())).unwrap_err();
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("INCR")));
        let (error, two) = reply!(client.transaction(batch()).results()).unwrap();
        assert_eq!(error.unwrap_err().code(), Some("ERR"));
        assert_eq!(two.unwrap(), "2", "one that fails does not stop the others");
        assert_eq!(done!(client.send(words("ECHO 3"))).unwrap(), "3");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_all_or_nothing_until_it_runs() {
    for (client, prefix) in clients("transaction") {
        let incr = || words(&format!("INCR {prefix}"));
        let get = || words(&format!("GET {prefix}"));
        done!(client.send(words(&format!("DEL {prefix}")))).unwrap();
        let both = reply!(client.transaction((incr(), get()))).unwrap();
        assert_eq!(both, ("1".to_owned(), "1".to_owned()));
        let error = reply!(client.transaction((incr(), words("GET too many words")))).unwrap_err();
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("GET")));
        assert_eq!(done!(client.send(get())).unwrap(), "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_many_do_not_mix() {
    for (client, prefix) in clients("mix") {
        let tasks: Vec<_> = (0..20)
            .map(|task| {
                let (client, key) = (client.clone(), format!("{prefix}:{task}"));
                spawn(async move {
                    done!(client.send(words(&format!("DEL {key}")))).unwrap();
                    for round in 1..=50 {
                        let commands = [
                            words(&format!("INCR {key}")),
                            words(&format!("ECHO {key}")),
                            words(&format!("DECRBY {key} 0")),
                        ];
                        let replies = reply!(client.transaction(commands)).unwrap();
                        assert_eq!(replies, [round.to_string(), key.clone(), round.to_string()]);
                        let echo = done!(client.send(words(&format!("ECHO {key}")))).unwrap();
                        assert_eq!(echo, key);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_depends_on_what_was_watched() {
    for (client, prefix) in clients("watched") {
        let dedicated = done!(client.dedicated()).unwrap();
        let watch = || words(&format!("WATCH {prefix}:watched"));
        let batch = || [words(&format!("INCR {prefix}"))];
        done!(client.send(words(&format!("DEL {prefix}")))).unwrap();

        done!(dedicated.send(watch())).unwrap();
        assert_eq!(reply!(dedicated.transaction(batch())).unwrap(), ["1"]);

        done!(dedicated.send(watch())).unwrap();
        let set = words(&format!("SET {prefix}:watched x"));
        done!(client.send(set)).unwrap();
        let error = reply!(dedicated.transaction(batch())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);
        assert!(!error.may_have_executed());
        let get = words(&format!("GET {prefix}"));
        assert_eq!(done!(client.send(get)).unwrap(), "1");
        assert_eq!(reply!(dedicated.transaction(batch())).unwrap(), ["2"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_harm_others_is_refused_before_anything_is_sent() {
    for (client, prefix) in clients("refused") {
        let set = || words(&format!("SET {prefix} 1"));
        for other in ["BLPOP none 0", "SELECT 1", "SUBSCRIBE c"] {
            let name = other.split(' ').next();
            let error = reply!(client.pipeline((set(), words(other)))).unwrap_err();
            assert_eq!((error.kind(), error.command()), (ErrorKind::Refused, name));
            let error = reply!(client.transaction((set(), words(other)))).unwrap_err();
            assert_eq!((error.kind(), error.command()), (ErrorKind::Refused, name));
        }
        let get = words(&format!("GET {prefix}"));
        assert_eq!(done!(client.send(get)).unwrap(), "nil");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_takes_too_long_fails_as_one() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let client = Client::from_config(hasty(&server).pool_max(1));
        done!(client.send(words("PING"))).unwrap();
        server.pause().unwrap();
        let slow = [words("ECHO a"), words("ECHO b")];
        let error = reply!(client.pipeline(slow).results()).unwrap_err();
        assert!(error.is_timeout() && error.may_have_executed(), "{error}");
        server.resume().unwrap();
        assert_eq!(done!(client.send(words("ECHO c"))).unwrap(), "c");
    }
}
