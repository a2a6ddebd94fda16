//! The span of each call.

use std::time::Duration;

use respec::{Client, Config, blocking, cmd, command::raw, prelude::*};
use respec_testkit::{Cluster, Server, Variant, shared};
use tokio::runtime::Builder;
use tracing::{Instrument, Level, dispatcher};

use crate::{
    Caller,
    subscriber::{Span, Told},
};

/// The fields of a span that it has, of these.
fn fields<'s>(span: &'s Span, names: &[&str]) -> Vec<&'s str> {
    let field = |name: &&str| span.fields.get(*name).map_or("-", String::as_str);
    names.iter().map(field).collect()
}

#[test]
fn a_call_has_a_span_with_the_names_of_opentelemetry() {
    let server = shared(Variant::Valkey91);
    let config = Config::from_url(&server.url()).unwrap().database(3);
    let (told, dispatch) = Told::at(Level::TRACE);
    dispatcher::with_default(&dispatch, || {
        for (_, caller) in Caller::both(&config) {
            let outer = tracing::info_span!("outer").entered();
            caller
                .call(raw("SET").key("spans:a").arg("s3cret"))
                .unwrap();
            caller
                .call(raw("LPUSH").key("spans:a").arg("s3cret"))
                .unwrap_err();
            let gets = [raw("GET").key("spans:a"), raw("GET").key("spans:a")];
            caller.pipeline(&gets).unwrap();
            drop(outer);
        }
    });
    let calls = told.calls();
    let names = [
        "db.operation.name",
        "db.operation.batch.size",
        "db.response.status_code",
        "error.type",
        "otel.status_code",
    ];
    let seen: Vec<_> = calls.iter().map(|span| fields(span, &names)).collect();
    let one_client = [
        vec!["SET", "-", "-", "-", "-"],
        vec!["LPUSH", "-", "WRONGTYPE", "WRONGTYPE", "ERROR"],
        vec!["PIPELINE GET", "2", "-", "-", "-"],
    ];
    assert_eq!(seen, [one_client.clone(), one_client].concat());
    let port = server.port().to_string();
    for span in &calls {
        let names = [
            "db.system.name",
            "db.namespace",
            "server.address",
            "server.port",
            "network.peer.address",
            "network.peer.port",
            "otel.kind",
        ];
        let expected = [
            "redis",
            "3",
            "127.0.0.1",
            &port,
            "127.0.0.1",
            &port,
            "client",
        ];
        assert_eq!(fields(span, &names), expected, "{span:?}");
        assert_eq!(span.fields["otel.name"], span.fields["db.operation.name"]);
        assert_eq!(span.parent.as_deref(), Some("outer"), "{span:?}");
        assert!(span.entered > 0 && span.entered == span.left, "{span:?}");
    }
}

#[test]
fn the_span_of_a_call_names_the_cluster_and_the_node_that_answered() {
    let cluster = Cluster::shared(Variant::Redis82);
    let config = Config::from_url(&cluster.url()).unwrap();
    let (told, dispatch) = Told::at(Level::TRACE);
    dispatcher::with_default(&dispatch, || {
        for (_, caller) in Caller::both(&config) {
            caller
                .call(raw("SET").key("spans:b").arg("s3cret"))
                .unwrap();
            // The table of slots is known by now.
            caller.call(raw("GET").key("spans:b")).unwrap();
        }
    });
    let slot = respec::cluster::key_slot(b"spans:b");
    let node = cluster.primary_of(slot).unwrap().addr();
    let port = node.port().to_string();
    let seeds = config.settings().address().to_string();
    assert_eq!(told.calls().len(), 4);
    for span in told.calls() {
        let names = ["server.address", "server.port", "network.peer.port"];
        assert_eq!(fields(&span, &names), [&*seeds, "-", &port], "{span:?}");
    }
}

#[test]
fn a_span_is_left_while_its_call_waits_and_ends_when_its_caller_leaves() {
    let (told, dispatch) = Told::at(Level::TRACE);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let url = shared(Variant::Redis70).url();
    dispatcher::with_default(&dispatch, || {
        runtime.block_on(async {
            let client = Client::connect(&url).await.unwrap();
            let pop = async { client.blpop(["spans:none"], 20).await };
            let left = tokio::time::timeout(Duration::from_millis(50), pop);
            let other = async {
                tokio::task::yield_now().await;
                tracing::info!("beside the call");
            };
            let outer = tracing::info_span!("outer");
            let (left, ()) = tokio::join!(left.instrument(outer), other);
            assert!(left.is_err());
        });
    });
    let lines = told.lines();
    let beside = lines.iter().find(|line| line.text == "beside the call");
    assert_eq!(beside.unwrap().span, None);
    let calls = told.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    let names = ["db.operation.name", "error.type", "db.response.status_code"];
    assert_eq!(fields(&calls[0], &names), ["BLPOP", "cancelled", "-"]);
    assert_eq!(calls[0].parent.as_deref(), Some("outer"));
    assert_eq!(calls[0].entered, calls[0].left);
}

#[test]
fn nothing_that_is_told_at_trace_holds_an_argument_a_value_or_a_secret() {
    let server = Server::start(Variant::Redis82).unwrap();
    server
        .command(&[b"CONFIG", b"SET", b"requirepass", b"s3cret-password"])
        .unwrap();
    let (told, dispatch) = Told::at(Level::TRACE);
    let config = Config::tcp("127.0.0.1", server.port()).response_timeout(Duration::from_secs(1));
    dispatcher::with_default(&dispatch, || {
        let right = config.clone().password("s3cret-password");
        for (_, caller) in Caller::both(&right) {
            caller
                .call(raw("SET").key("s3cret-key").arg("s3cret-value"))
                .unwrap();
            caller.call(raw("GET").key("s3cret-key")).unwrap();
            caller.call(raw("INCR").key("s3cret-key")).unwrap_err();
            // Servers repeat what they do not know.
            caller
                .call(raw("NO.SUCH").arg("s3cret-argument"))
                .unwrap_err();
            caller
                .call(raw("EVAL").arg("return s3cret").arg(0))
                .unwrap_err();
            let commands = [
                raw("SET").key("s3cret-key").arg("s3cret"),
                raw("NO.SUCH").arg("s3cret"),
            ];
            caller.pipeline(&commands).unwrap_err();
        }
        for (_, caller) in Caller::both(&config.clone().password("s3cret-wrong")) {
            caller.call(raw("GET").key("s3cret-key")).unwrap_err();
        }
        let own = blocking::Client::from_config(right).dedicated().unwrap();
        own.send(cmd::auth("s3cret-wrong")).unwrap_err();
        server.kill().unwrap();
        own.send(cmd::get("s3cret-key")).unwrap_err();
        drop(own);
        assert!(respec::observe::flush(Duration::from_secs(30)));
    });
    assert!(told.calls().len() > 15 && told.lines().len() > 4);
    let text = format!("{:?} {:?}", told.calls(), told.lines());
    let found = text
        .find("s3cret")
        .map(|at| &text[at.saturating_sub(200)..at + 40]);
    assert_eq!(found, None);
}
