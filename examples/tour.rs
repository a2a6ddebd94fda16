//! A walk through the client on a real server.
//!
//! `cargo run --example tour` starts a server of its own; `cargo run --example tour -- URL` uses
//! one that runs already, under keys that begin with `tour:` and are deleted at the end.

use std::{error::Error, fmt::Debug, time::Duration};

use bytes::Bytes;
use respec::{Client, Value, blocking, cmd, commands::string::SetCondition, prelude::*};
use respec_testkit::{Server, Variant};
use serde::Deserialize;

/// What a hash becomes when it is read into a struct.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the fields are read by Debug alone")]
struct User {
    name: String,
    age: u8,
    email: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (_server, url) = match std::env::args().nth(1) {
        Some(url) => (None, url),
        None => {
            let server = start()?;
            let url = server.url();
            (Some(server), url)
        }
    };
    chapter("a client, cheap to clone, with every command as a typed method");
    let client = Client::connect(&url).await?;
    show("client.ping()", client.ping().await?);
    clean(&client).await?;

    typed_calls(&client).await?;
    options(&client).await?;
    structs(&client).await?;
    pipelines(&client).await?;
    blocking_pop(&client).await?;
    errors(&client).await?;
    let again = url.clone();
    tokio::task::spawn_blocking(move || without_a_runtime(&again)).await??;

    clean(&client).await?;
    println!("\nthat was the tour of {}", client.config());
    Ok(())
}

/// A server of our own: the newest that can be had here.
fn start() -> Result<Server, Box<dyn Error>> {
    let mut reasons = Vec::new();
    for variant in [Variant::Redis82, Variant::Valkey91, Variant::Redis70] {
        match Server::start(variant) {
            Ok(server) => {
                println!("started {variant} {}", server.version());
                return Ok(server);
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(reasons.join("\n").into())
}

async fn typed_calls(client: &Client) -> respec::Result<()> {
    chapter("the reply type is the spec's, no annotation needed");
    client.set("tour:greeting", "hello").await?;
    show(
        "client.get(\"tour:greeting\")",
        client.get("tour:greeting").await?,
    );
    show(
        "client.get(\"tour:absent\")",
        client.get("tour:absent").await?,
    );
    show(
        "client.incr(\"tour:hits\")",
        client.incr("tour:hits").await?,
    );
    show(
        "client.strlen(\"tour:greeting\")",
        client.strlen("tour:greeting").await?,
    );

    chapter("lists are one value, an array, a slice, a Vec or an iterator");
    show(
        "client.rpush(\"tour:list\", 1..=5)",
        client.rpush("tour:list", 1..=5).await?,
    );
    show(
        "client.lrange(\"tour:list\", 0, -1)",
        client.lrange("tour:list", 0, -1).await?,
    );
    let numbers: Vec<u8> = client.lrange("tour:list", 0, -1).decode().await?;
    show("… .decode::<Vec<u8>>()", numbers);
    show(
        "client.del([\"tour:list\", \"tour:no\"])",
        client.del(["tour:list", "tour:no"]).await?,
    );
    Ok(())
}

async fn options(client: &Client) -> respec::Result<()> {
    chapter("options in any order; the reply type follows them");
    let first: bool = client.set("tour:lock", "me").nx().ex(30).await?;
    show("client.set(\"tour:lock\", \"me\").nx().ex(30)", first);
    let second: bool = client.set("tour:lock", "you").ex(30).nx().await?;
    show("client.set(\"tour:lock\", \"you\").ex(30).nx()", second);
    let old: Option<Bytes> = client.set("tour:lock", "you").get().await?;
    show("client.set(\"tour:lock\", \"you\").get()", old);
    let condition = SetCondition::Xx;
    let chosen = client.set("tour:lock", "us").condition(condition).await?;
    show("client.set(…).condition(SetCondition::Xx)", chosen);

    client
        .zadd("tour:board", [(3, "bob"), (1, "ann"), (2, "eve")])
        .await?;
    let names: Vec<Bytes> = client.zrange("tour:board", 0, -1).rev().await?;
    show("client.zrange(\"tour:board\", 0, -1).rev()", names);
    let scores: Vec<(Bytes, f64)> = client.zrange("tour:board", 0, 1).withscores().await?;
    show("client.zrange(\"tour:board\", 0, 1).withscores()", scores);
    Ok(())
}

async fn structs(client: &Client) -> respec::Result<()> {
    chapter("a reply as a struct, by serde");
    client
        .hset("tour:user", [("name", "Ann"), ("age", "41")])
        .await?;
    let user: User = client.hgetall("tour:user").decode().await?;
    show("client.hgetall(\"tour:user\").decode::<User>()", user);
    client
        .xadd("tour:stream", "*", [("event", "login")])
        .await?;
    let info = client.xinfo_stream("tour:stream").await?;
    show("client.xinfo_stream(\"tour:stream\").length", info.length);
    Ok(())
}

async fn pipelines(client: &Client) -> respec::Result<()> {
    chapter("commands are values: typed pipelines and transactions");
    let (hits, greeting) = client
        .pipeline((cmd::incr("tour:hits"), cmd::get("tour:greeting")))
        .await?;
    show(
        "client.pipeline((cmd::incr(…), cmd::get(…)))",
        (hits, greeting),
    );
    let keys = ["tour:greeting", "tour:absent"];
    let many: Vec<Option<Bytes>> = client.pipeline(keys.iter().map(cmd::get)).await?;
    show("client.pipeline(keys.iter().map(cmd::get))", many);
    let (x, y) = client
        .transaction((cmd::incr("tour:x"), cmd::decr("tour:y")))
        .await?;
    show("client.transaction((cmd::incr(…), cmd::decr(…)))", (x, y));
    let (bad, good) = client
        .pipeline((cmd::incr("tour:greeting"), cmd::strlen("tour:greeting")))
        .results()
        .await?;
    show(
        "client.pipeline(…).results(), each its own",
        (bad.is_err(), good.is_ok()),
    );
    let raw: Value = client
        .send(cmd::raw("OBJECT").arg("ENCODING").key("tour:hits"))
        .await?;
    show("client.send(cmd::raw(\"OBJECT\").arg(\"ENCODING\")…)", raw);
    Ok(())
}

async fn blocking_pop(client: &Client) -> Result<(), Box<dyn Error>> {
    chapter("a blocking pop has a connection of its own and delays nobody");
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.blpop("tour:queue", Duration::from_secs(5)).await })
    };
    show(
        "meanwhile client.incr(\"tour:hits\")",
        client.incr("tour:hits").await?,
    );
    client.rpush("tour:queue", "job 1").await?;
    show("client.blpop(\"tour:queue\", 5 s)", waiting.await??);
    Ok(())
}

async fn errors(client: &Client) -> respec::Result<()> {
    chapter("errors answer questions, and name no values");
    client.rpush("tour:list", "x").await?;
    if let Err(error) = client.get("tour:list").await {
        println!("   client.get(\"tour:list\")\n      → {error}");
        show(
            "error.code(), error.command()",
            (error.code(), error.command()),
        );
    }
    let lossy = client
        .set("tour:k", "v")
        .ex(Duration::from_millis(1500))
        .await;
    if let Err(error) = lossy {
        println!("   client.set(…).ex(1.5 s)\n      → {error}");
        show("error.may_have_executed()", error.may_have_executed());
    }
    Ok(())
}

fn without_a_runtime(url: &str) -> respec::Result<()> {
    chapter("the same methods without a runtime, with `send` at the end");
    let client = blocking::Client::connect(url)?;
    show(
        "client.incr(\"tour:hits\").send()",
        client.incr("tour:hits").send()?,
    );
    let (hits, top) = client
        .pipeline((
            cmd::get("tour:hits").decode::<u64>(),
            cmd::zcard("tour:board"),
        ))
        .send()?;
    show("client.pipeline((…)).send()", (hits, top));
    Ok(())
}

/// Deletes what this program wrote.
async fn clean(client: &Client) -> respec::Result<()> {
    let mut cursor = 0;
    loop {
        let page = client.scan(cursor).r#match("tour:*").count(100).await?;
        if !page.items.is_empty() {
            client.unlink(page.items).await?;
        }
        cursor = page.cursor;
        if cursor == 0 {
            return Ok(());
        }
    }
}

fn chapter(title: &str) {
    println!("\n{title}");
}

fn show(call: &str, reply: impl Debug) {
    println!("   {call}\n      → {reply:?}");
}
