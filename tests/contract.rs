//! The programs that the documentation promises, each against a real server.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

use std::time::Duration;

use bytes::Bytes;
use respec::{
    CallOptions, Client, ErrorKind, RetryPolicy, Value, cmd, command::Erased, prelude::*,
};
use respec_testkit::{Cluster, Server, Variant, shared};
use serde::Deserialize;

/// A server and a cluster that all tests share: the same programs run on both.
fn urls() -> [String; 2] {
    [
        shared(Variant::Redis70).url(),
        Cluster::shared(Variant::Redis70).url(),
    ]
}

/// A client of each of them, and a prefix that no other test uses.
async fn clients(test: &str) -> Vec<(Client, impl Fn(&str) -> String)> {
    let mut clients = Vec::new();
    for url in urls() {
        let client = Client::connect(&url).await.unwrap();
        let prefix = format!("contract:{test}:");
        clients.push((client, move |key: &str| format!("{prefix}{key}")));
    }
    clients
}

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    name: String,
    age: u8,
    admin: Option<bool>,
}

#[tokio::test]
async fn calls_have_the_types_of_the_spec() {
    for (client, key) in clients("calls").await {
        let greeting = key("greeting");

        client.set(&greeting, "hello").await.unwrap();
        let fresh: bool = client.set(key("lock"), "me").nx().ex(30).await.unwrap();
        assert!(fresh);
        let again: bool = client.set(key("lock"), "me").nx().ex(30).await.unwrap();
        assert!(!again);
        let old: Option<Bytes> = client.set(key("lock"), "you").get().await.unwrap();
        assert_eq!(old.as_deref(), Some(&b"me"[..]));
        let v: Option<Bytes> = client.get(&greeting).await.unwrap();
        assert_eq!(v.as_deref(), Some(&b"hello"[..]));
        let text: Option<String> = client.get(&greeting).decode().await.unwrap();
        assert_eq!(text.as_deref(), Some("hello"));

        client
            .zadd(key("board"), [(1, "ann"), (3, "bob"), (2, "eve")])
            .await
            .unwrap();
        let top: Vec<(Bytes, f64)> = client
            .zrange(key("board"), 0, 9)
            .rev()
            .withscores()
            .await
            .unwrap();
        assert_eq!(
            top,
            [
                ("bob".into(), 3.0),
                ("eve".into(), 2.0),
                ("ann".into(), 1.0)
            ]
        );

        client
            .hset(key("user:1"), [("name", "Ann"), ("age", "41")])
            .await
            .unwrap();
        let user: User = client.hgetall(key("user:1")).decode().await.unwrap();
        assert_eq!(
            user,
            User {
                name: "Ann".into(),
                age: 41,
                admin: None
            }
        );

        client
            .mset([(key("a"), "1"), (key("b"), "2")])
            .await
            .unwrap();
        let n: u64 = client.del([key("a"), key("b"), key("c")]).await.unwrap();
        assert_eq!(n, 2);
    }
}

#[test]
fn the_blocking_client_has_the_same_methods() {
    for url in urls() {
        let client = respec::blocking::Client::connect(&url).unwrap();
        let key = |key: &str| format!("contract:blocking:{key}");
        let n: i64 = client.incr(key("hits")).send().unwrap();
        assert_eq!(n, 1);
        let fresh: bool = client.set(key("lock"), "me").ex(30).nx().send().unwrap();
        assert!(fresh);
        let old: Option<Bytes> = client.set(key("lock"), "you").get().send().unwrap();
        assert_eq!(old.as_deref(), Some(&b"me"[..]));
        let text: Option<String> = client.get(key("lock")).decode().send().unwrap();
        assert_eq!(text.as_deref(), Some("you"));

        client
            .mset([(key("a"), "1"), (key("b"), "2")])
            .send()
            .unwrap();
        let n: u64 = client.del([key("a"), key("b"), key("c")]).send().unwrap();
        assert_eq!(n, 2);
        let (n, v) = client
            .pipeline((cmd::incr(key("hits")), cmd::get(key("lock"))))
            .send()
            .unwrap();
        assert_eq!((n, v.as_deref()), (2, Some(&b"you"[..])));
        let (bad, good) = client
            .pipeline((cmd::incr(key("lock")), cmd::incr(key("hits"))))
            .results()
            .send()
            .unwrap();
        assert_eq!(bad.unwrap_err().command(), Some("INCR"));
        assert_eq!(good.unwrap(), 3);
        let (a, b) = client
            .transaction((cmd::incr(key("{t}x")), cmd::decr(key("{t}y"))))
            .send()
            .unwrap();
        assert_eq!((a, b), (1, -1));
        let raw: Value = client
            .send(cmd::raw("OBJECT").arg("REFCOUNT").key(key("{t}x")))
            .unwrap();
        assert!(matches!(raw, Value::Integer(_)), "{raw:?}");

        let refused = client.send(cmd::raw("SELECT").arg("1")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
        let own = client.dedicated_for(key("watched")).unwrap();
        own.watch(key("watched")).send().unwrap();
        client.set(key("watched"), "changed").send().unwrap();
        let aborted = own
            .transaction((cmd::set(key("watched"), "mine"),))
            .send()
            .unwrap_err();
        assert_eq!(aborted.kind(), ErrorKind::Aborted);
        let none = client.blpop(key("queue"), Duration::from_millis(10));
        assert_eq!(none.send().unwrap(), None);
        let mut keys = client.iterate(|cursor| cmd::scan(cursor).r#match(key("hit*")));
        assert_eq!(keys.next().unwrap().unwrap(), key("hits"));
        assert!(keys.next().is_none());
    }
}

#[tokio::test]
async fn options_go_in_any_order_and_choices_can_be_made_at_run_time() {
    for (client, key) in clients("options").await {
        use respec::commands::string::SetCondition;
        for condition in [Some(SetCondition::Nx), Some(SetCondition::Xx), None] {
            let done: bool = client
                .set(key("k"), "v")
                .px(Duration::from_millis(1500))
                .condition(condition)
                .await
                .unwrap();
            assert!(done);
        }
        let left = client.pttl(key("k")).await.unwrap().some().unwrap();
        assert!((1..=1500).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn the_reply_follows_the_options() {
    for (client, key) in clients("lpop").await {
        client.rpush(key("l"), ["a", "b", "c"]).await.unwrap();
        let one: Option<Bytes> = client.lpop(key("l")).await.unwrap();
        assert_eq!(one.as_deref(), Some(&b"a"[..]));
        let rest: Option<Vec<Bytes>> = client.lpop(key("l")).count(5).await.unwrap();
        assert_eq!(rest, Some(vec!["b".into(), "c".into()]));
        assert_eq!(client.lpop(key("l")).count(5).await.unwrap(), None);
    }
}

#[tokio::test]
async fn lists_are_one_value_an_array_a_slice_a_vec_or_an_iterator() {
    for (client, key) in clients("lists").await {
        let name = key("s");
        assert_eq!(client.sadd(&name, "one").await.unwrap(), 1);
        assert_eq!(client.sadd(&name, ["two", "three"]).await.unwrap(), 2);
        assert_eq!(
            client
                .sadd(&name, vec![String::from("four")])
                .await
                .unwrap(),
            1
        );
        let slice: &[&str] = &["five", "six"];
        assert_eq!(client.sadd(&name, slice).await.unwrap(), 2);
        assert_eq!(client.sadd(&name, [7, 8]).await.unwrap(), 2);
        assert_eq!(client.sadd(&name, (9..12).map(i64::from)).await.unwrap(), 3);
        // A byte string is one member, whatever its type.
        assert_eq!(client.sadd(&name, vec![b'x', b'y']).await.unwrap(), 1);
        assert_eq!(client.sadd(&name, b"z").await.unwrap(), 1);
        assert_eq!(client.sadd(&name, [0u8, 255]).await.unwrap(), 1);
        assert_eq!(
            client
                .sadd(&name, Bytes::from_static(b"bytes"))
                .await
                .unwrap(),
            1
        );
        assert_eq!(client.scard(&name).await.unwrap(), 15);

        let none = client.sadd(&name, Vec::<String>::new()).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Argument);
        assert!(!none.may_have_executed());
        assert_eq!(
            none.to_string(),
            "SADD: invalid argument: expected at least one member, got an empty list"
        );
    }
}

#[expect(
    clippy::redundant_closure,
    reason = "this is how the documentation writes it"
)]
#[tokio::test]
async fn commands_are_values() {
    for (client, key) in clients("values").await {
        client.set(key("greeting"), "hello").await.unwrap();
        let (n, v) = client
            .pipeline((cmd::incr(key("hits")), cmd::get(key("greeting"))))
            .await
            .unwrap();
        assert_eq!((n, v.as_deref()), (1, Some(&b"hello"[..])));

        let ids = [key("greeting"), key("absent")];
        let many: Vec<Option<Bytes>> = client
            .pipeline(ids.iter().map(|id| cmd::get(id)))
            .await
            .unwrap();
        assert_eq!(many, [Some("hello".into()), None]);

        let (a, b) = client
            .transaction((cmd::incr(key("{t}x")), cmd::decr(key("{t}y"))))
            .await
            .unwrap();
        assert_eq!((a, b), (1, -1));

        let raw: Value = client
            .send(cmd::raw("OBJECT").arg("REFCOUNT").key(key("{t}x")))
            .await
            .unwrap();
        assert!(matches!(raw, Value::Integer(_)), "{raw:?}");
        let unknown = client
            .send(cmd::raw("FUTURE.CMD").key("k").arg(1))
            .await
            .unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Server);
        assert_eq!(unknown.code(), Some("ERR"));
    }
}

#[tokio::test]
async fn a_pipeline_can_keep_the_error_of_each_command() {
    for (client, key) in clients("each").await {
        client.set(key("text"), "no number").await.unwrap();
        let (bad, good) = client
            .pipeline((cmd::incr(key("text")), cmd::get(key("text"))))
            .results()
            .await
            .unwrap();
        assert_eq!(bad.unwrap_err().command(), Some("INCR"));
        assert_eq!(good.unwrap().as_deref(), Some(&b"no number"[..]));
        let first = client
            .pipeline((cmd::incr(key("text")), cmd::get(key("text"))))
            .await;
        assert_eq!(first.unwrap_err().code(), Some("ERR"));
    }
}

#[tokio::test]
async fn errors_answer_questions() {
    for (client, key) in clients("errors").await {
        client.lpush(key("list"), "x").await.unwrap();
        let wrong = client.get(key("list")).await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Server);
        assert_eq!(wrong.code(), Some("WRONGTYPE"));
        assert_eq!(wrong.command(), Some("GET"));
        assert!(!wrong.is_timeout() && !wrong.is_connection());

        client.set(key("word"), "many").await.unwrap();
        let number = client.get(key("word")).decode::<u32>().await.unwrap_err();
        assert_eq!(number.kind(), ErrorKind::Decode);
        assert!(!number.to_string().contains("many"), "{number}");

        // A fraction of a second would be lost by a command that takes seconds.
        let lost = client
            .set(key("k"), "v")
            .ex(Duration::from_millis(1500))
            .await
            .unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Argument);
        assert!(!lost.may_have_executed());
        assert_eq!(client.exists(key("k")).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn what_takes_over_a_connection_is_refused_where_it_is_shared() {
    for (client, key) in clients("shared").await {
        for command in ["MULTI", "SUBSCRIBE", "MONITOR", "SELECT", "quit"] {
            let refused = client.send(cmd::raw(command).arg("1")).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Refused, "{command}");
            assert!(!refused.may_have_executed());
        }
        // A connection of one's own has them, and a changed key aborts the transaction.
        let own = client.dedicated_for(key("watched")).await.unwrap();
        own.watch(key("watched")).await.unwrap();
        client.set(key("watched"), "changed").await.unwrap();
        let aborted = own
            .transaction((cmd::set(key("watched"), "mine"),))
            .await
            .unwrap_err();
        assert_eq!(aborted.kind(), ErrorKind::Aborted);
        own.watch(key("watched")).await.unwrap();
        own.transaction((cmd::set(key("watched"), "mine"),))
            .await
            .unwrap();
        assert_eq!(
            client.get(key("watched")).await.unwrap().as_deref(),
            Some(&b"mine"[..])
        );
    }
}

#[tokio::test]
async fn a_blocking_command_delays_nobody() {
    for (client, key) in clients("blpop").await {
        let waiting = {
            let (client, list) = (client.clone(), key("queue"));
            tokio::spawn(async move { client.blpop(list, 10).await })
        };
        for _ in 0..100 {
            client.incr(key("busy")).await.unwrap();
        }
        client.rpush(key("queue"), "job").await.unwrap();
        let (_, job) = waiting.await.unwrap().unwrap().unwrap();
        assert_eq!(job, "job");
        assert_eq!(
            client
                .blpop(key("queue"), Duration::from_millis(10))
                .await
                .unwrap(),
            None
        );
    }
}

#[tokio::test]
async fn both_protocols_give_the_same_values() {
    let server = Server::start(Variant::Redis82).unwrap();
    let mut seen = Vec::new();
    for protocol in ["resp2", "resp3"] {
        let client = Client::connect(&format!("{}?protocol={protocol}", server.url()))
            .await
            .unwrap();
        client.flushall().await.unwrap();
        client
            .zadd("z", [(1.5, "a"), (f64::INFINITY, "b")])
            .await
            .unwrap();
        client.hset("h", ("f", "v")).await.unwrap();
        client.xadd("s", "1-1", [("f", "v")]).await.unwrap();
        seen.push((
            client.zrange("z", 0, -1).withscores().await.unwrap(),
            client.zscore("z", "b").await.unwrap(),
            client.hgetall("h").await.unwrap(),
            client
                .xread([("s", "0")])
                .await
                .unwrap()
                .map(|streams| format!("{streams:?}")),
            client.config_get("maxmemory").await.unwrap(),
            client.command_getkeys("SET").arg(["k", "v"]).await.unwrap(),
        ));
    }
    assert_eq!(seen[0], seen[1]);
}

/// A program for any async client: the one bound implies all commands.
async fn visit<T: AsyncClient>(client: &T, key: &str) -> respec::Result<Vec<Value>> {
    client.set(key, "seen").ex(60).await?;
    let (length, value) = client.pipeline((cmd::strlen(key), cmd::get(key))).await?;
    assert_eq!((length, value.as_deref()), (4, Some(&b"seen"[..])));
    let text: Option<String> = client.get(key).decode().await?;
    assert_eq!(text.as_deref(), Some("seen"));
    let deleted: u64 = client.send(cmd::del(key)).await?;
    assert_eq!(deleted, 1);
    let hits: i64 = client.transaction(cmd::incr(key)).await?;
    assert_eq!(hits, 1);
    client
        .pipeline(vec![cmd::get(key).erase(), cmd::incr(key).erase()])
        .await
}

/// The same for any blocking client.
fn visit_blocking<T: BlockingClient>(client: &T, key: &str) -> respec::Result<Vec<Value>> {
    client.set(key, "seen").ex(60).send()?;
    let (length, value) = client.pipeline((cmd::strlen(key), cmd::get(key))).send()?;
    assert_eq!((length, value.as_deref()), (4, Some(&b"seen"[..])));
    let text: Option<String> = client.get(key).decode().send()?;
    assert_eq!(text.as_deref(), Some("seen"));
    let deleted: u64 = client.send(cmd::del(key))?;
    assert_eq!(deleted, 1);
    let hits: i64 = client.transaction(cmd::incr(key)).send()?;
    assert_eq!(hits, 1);
    client
        .pipeline(vec![cmd::get(key).erase(), cmd::incr(key).erase()])
        .send()
}

/// What [`visit`] returns: one counter, read and then raised.
fn visited() -> Vec<Value> {
    vec![Value::BulkString("1".into()), Value::Integer(2)]
}

/// Spawns generic code, with everything that it needs borrowed inside of the task.
fn spawn<T>(client: &T, key: String) -> tokio::task::JoinHandle<respec::Result<Vec<Value>>>
where
    T: AsyncClient + Clone + 'static,
{
    let client = client.clone();
    tokio::spawn(async move { visit(&client, &key).await })
}

#[tokio::test]
async fn generic_code_takes_any_client_and_can_be_spawned() {
    for (client, key) in clients("generic").await {
        assert_eq!(visit(&client, &key("lent")).await.unwrap(), visited());
        let own = client.dedicated_for(key("own")).await.unwrap();
        assert_eq!(visit(&own, &key("own")).await.unwrap(), visited());
        // A connection of one's own can be moved into a task as well.
        let name = key("moved");
        let own = client.dedicated_for(&name).await.unwrap();
        let moved = tokio::spawn(async move { visit(&own, &name).await });
        let (shared, name) = (client.clone(), key("shared"));
        let shared = tokio::spawn(async move { visit(&shared, &name).await });
        let tasks: Vec<_> = (0..4)
            .map(|at| spawn(&client, key(&format!("task{at}"))))
            .collect();
        for task in tasks.into_iter().chain([moved, shared]) {
            assert_eq!(task.await.unwrap().unwrap(), visited());
        }
    }
}

#[test]
fn generic_code_takes_any_blocking_client_and_runs_in_threads() {
    for url in urls() {
        let client = respec::blocking::Client::connect(&url).unwrap();
        let key = |key: &str| format!("contract:blocking generic:{key}");
        assert_eq!(visit_blocking(&client, &key("lent")).unwrap(), visited());
        let own = client.dedicated_for(key("own")).unwrap();
        std::thread::scope(|scope| {
            let lent = scope.spawn(|| visit_blocking(&client, &key("thread")));
            let own = scope.spawn(|| visit_blocking(&own, &key("own")));
            assert_eq!(lent.join().unwrap().unwrap(), visited());
            assert_eq!(own.join().unwrap().unwrap(), visited());
        });
    }
}

#[tokio::test]
async fn a_command_becomes_a_future_where_one_is_wanted() {
    for (client, key) in clients("futures").await {
        // Bound to a client that the task does not own, a command cannot be spawned; moved, it can.
        let (moved, name) = (client.clone(), key("n"));
        let spawned = tokio::spawn(async move { moved.incr(&name).into_future().await });
        assert_eq!(spawned.await.unwrap().unwrap(), 1);
        let name = key("n");
        let (a, b) = tokio::join!(
            client.incr(&name).into_future(),
            client.pipeline((cmd::incr(&name),)).into_future(),
        );
        assert_eq!(a.unwrap() + b.unwrap().0, 5);
        // A list of them is driven by whatever takes futures.
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let (client, name) = (client.clone(), name.clone());
            tasks.spawn(async move { client.incr(name).await });
        }
        let mut counts: Vec<i64> = Vec::new();
        while let Some(count) = tasks.join_next().await {
            counts.push(count.unwrap().unwrap());
        }
        counts.sort_unstable();
        assert_eq!(counts, [4, 5, 6]);
    }
}

#[tokio::test]
async fn commands_are_put_together_at_run_time() {
    for (client, key) in clients("erased").await {
        let (n, h, absent) = (key("n"), key("h"), key("absent"));
        client.hset(&h, ("f", "v")).await.unwrap();
        let mut commands: Vec<Erased<'_>> = vec![cmd::incr(&n).erase()];
        if commands.len() == 1 {
            commands.push(cmd::hget(&h, "f").erase());
        }
        commands.push(cmd::get(&absent).erase());
        let replies: Vec<Value> = client.pipeline(&commands).await.unwrap();
        let expected = [Value::Integer(1), Value::BulkString("v".into()), Value::Nil];
        assert_eq!(replies, expected);

        // One of them keeps all that is known of it: its keys, its reply by another type, its facts.
        let one = cmd::hget(&h, "f").erase();
        let text: String = client.send(one.clone().decode()).await.unwrap();
        assert_eq!(text, "v");
        assert_eq!(
            client.send(&one).await.unwrap(),
            Value::BulkString("v".into())
        );
        let refused = client.send(cmd::watch(&n).erase()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
        let none = client.send(cmd::blpop(&absent, 0.01).erase()).await;
        assert_eq!(none.unwrap(), Value::Nil);
        let wrong = client.send(cmd::incr(&h).erase()).await.unwrap_err();
        assert_eq!(wrong.command(), Some("INCR"));

        // Each of them keeps its own error, and a transaction is put together likewise.
        let (own, tagged) = (key("{t}own"), key("{t}text"));
        client.set(&tagged, "text").await.unwrap();
        let each = vec![cmd::incr(&own).erase(), cmd::incr(&tagged).erase()];
        let mut results = client.transaction(each).results().await.unwrap();
        assert_eq!(results.pop().unwrap().unwrap_err().command(), Some("INCR"));
        assert_eq!(results.pop().unwrap().unwrap(), Value::Integer(1));
    }
}

#[test]
fn commands_are_put_together_at_run_time_by_the_blocking_client() {
    for url in urls() {
        let client = respec::blocking::Client::connect(&url).unwrap();
        let key = |key: &str| format!("contract:blocking erased:{key}");
        let (n, h) = (key("n"), key("h"));
        client.hset(&h, ("f", "v")).send().unwrap();
        let commands = [cmd::incr(&n).erase(), cmd::hget(&h, "f").erase()];
        let replies: Vec<Value> = client.pipeline(&commands).send().unwrap();
        assert_eq!(replies, [Value::Integer(1), Value::BulkString("v".into())]);
        let text: String = client.send(cmd::hget(&h, "f").erase().decode()).unwrap();
        assert_eq!(text, "v");
    }
}

#[tokio::test]
async fn one_command_is_a_batch_as_well() {
    for (client, key) in clients("single").await {
        let n: i64 = client.pipeline(cmd::incr(key("n"))).await.unwrap();
        assert_eq!(n, 1);
        let command = cmd::incr(key("n"));
        let n: i64 = client.transaction(&command).await.unwrap();
        assert_eq!(n, 2);
        let text: Option<String> = client
            .transaction(cmd::get(key("n")).decode())
            .await
            .unwrap();
        assert_eq!(text.as_deref(), Some("2"));
        client.set(key("text"), "no number").await.unwrap();
        let wrong = client.pipeline(cmd::incr(key("text"))).results().await;
        assert_eq!(wrong.unwrap().unwrap_err().command(), Some("INCR"));
        let empty: Vec<Erased<'_>> = Vec::new();
        assert!(client.pipeline(empty).await.unwrap().is_empty());
    }
}

/// Everything of several groups at once, with the preludes of Rust and of the client.
mod imported_whole {
    use respec::{
        cmd,
        commands::{connection::*, generic::*, hash::*, server::*, string::*},
        prelude::*,
    };

    #[derive(Clone, Copy)]
    struct Key(&'static str);

    fn is_copy<T: Copy + Sync>(_: T) {}

    #[tokio::test]
    async fn names_of_groups_clash_with_nothing() {
        for (client, prefix) in super::clients("imported").await {
            let key = Key("key");
            is_copy(key);
            let name = prefix(key.0);
            let set: Set<'_> = cmd::set(&name, "5");
            client.send(set).await.unwrap();
            let (field, echo): (Hget<'_>, Echo<'_>) = (cmd::hget(&name, "f"), cmd::echo("x"));
            assert!(client.pipeline((field, echo)).await.is_err());
            let copied: CopyCall<'_, _> = client.copy(&name, &name);
            assert!(copied.await.is_err());
            let number: Option<u8> = client.get(&name).decode().await.unwrap();
            assert_eq!(number, Some(5));
            let all: CommandCall = cmd::command();
            assert!(!client.send(all).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_client_with_other_options_is_a_client() {
    for (client, key) in clients("with").await {
        let quick = client.with(CallOptions::new().timeout(Duration::from_millis(5000)));
        client.set(key("k"), "v").await.unwrap();
        let v = quick.get(key("k")).await.unwrap();
        assert_eq!(v.as_deref(), Some(&b"v"[..]));
        let n = client
            .with(CallOptions::new().idempotent())
            .hset(key("h"), ("f", "v"))
            .await
            .unwrap();
        assert_eq!(n, 1);
        // Whatever takes a client takes it, and it can be kept.
        let kept: Client = quick.with(CallOptions::new().retry(RetryPolicy::Never));
        assert_eq!(visit(&kept, &key("visited")).await.unwrap(), visited());
    }
}

#[tokio::test]
async fn a_client_ends_with_all_its_clones() {
    for url in urls() {
        let client = Client::connect(&url).await.unwrap();
        client.ready(Duration::from_secs(10)).await.unwrap();
        assert!(client.is_connected());
        let clone = client.clone();
        client.close(Duration::from_secs(10)).await.unwrap();
        assert!(!clone.is_connected());
        let error = clone.get("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(!error.may_have_executed());
    }
}
