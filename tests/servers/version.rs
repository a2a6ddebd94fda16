//! What calls need of a server, and that a client that checks it refuses before anything is sent.

use respec::{
    Client, Config, Error, ErrorKind, Protocol, blocking, cmd,
    command::{Command, Provider, ServerVersion, raw},
    commands::{bitmap::BitopOperation, string::SetCondition},
    prelude::*,
};
use respec_testkit::{Variant, shared};

fn config(variant: Variant, protocol: Protocol) -> Config {
    Config::from_url(&format!("{}?version_check=true", shared(variant).url()))
        .unwrap()
        .protocol(protocol)
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];

/// How many commands the server has run, of this one.
fn calls(client: &blocking::Client, command: &str) -> u64 {
    let info = client.info().section("commandstats").send().unwrap();
    let stats = info.commandstats();
    let found = stats.into_iter().find(|(name, _)| name == command);
    found.map_or(0, |(_, stats)| {
        stats.calls + stats.rejected_calls.unwrap_or(0)
    })
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, message: &str) {
    let Err(error) = result else {
        panic!("it was not refused")
    };
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(!error.may_have_executed());
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_call_needs_what_its_command_and_its_options_need() {
    let plain = cmd::set("k", "v").needs();
    assert_eq!(
        (plain.since(), plain.provider(), plain.module()),
        (Some("1.0.0"), None, None)
    );
    assert_eq!(cmd::set("k", "v").ex(5).needs().since(), Some("2.6.12"));
    assert_eq!(
        cmd::set("k", "v").ex(5).get().needs().since(),
        Some("6.2.0")
    );
    assert_eq!(
        cmd::set("k", "v").keepttl().get().needs().since(),
        Some("6.2.0")
    );
    assert_eq!(
        cmd::set("k", "v").get().keepttl().needs().since(),
        Some("6.2.0")
    );
    let conditional = cmd::set("k", "v").condition(SetCondition::ifne("x"));
    assert_eq!(conditional.needs().since(), Some("8.4.0"));
    assert_eq!(conditional.needs().provider(), Some(Provider::Redis));
    assert_eq!(cmd::set("k", "v").condition(None).needs(), plain);
    // In an enum that is a parameter, and a part of an option.
    assert_eq!(
        cmd::bitop(BitopOperation::And, "d", "s").needs().since(),
        Some("2.6.0")
    );
    assert_eq!(
        cmd::bitop(BitopOperation::Diff, "d", "s").needs().since(),
        Some("8.2.0")
    );
    assert_eq!(
        cmd::xadd("k", "*", ("f", "v")).maxlen(5).needs().since(),
        Some("5.0.0")
    );
    assert_eq!(
        cmd::xadd("k", "*", ("f", "v")).minid("5").needs().since(),
        Some("6.2.0")
    );
    assert_eq!(cmd::lpop("k").needs().since(), Some("1.0.0"));
    assert_eq!(cmd::lpop("k").count(5).needs().since(), Some("6.2.0"));
    let of_valkey = cmd::client_list().name("x").needs();
    assert_eq!(
        (of_valkey.since(), of_valkey.provider()),
        (Some("9.0.0"), Some(Provider::Valkey))
    );
    // By reference, read into another type, and raw: the same call.
    let call = cmd::set("k", "v").get();
    assert_eq!(Command::needs(&&call), call.needs());
    assert_eq!(call.clone().decode::<String>().needs(), call.needs());
    assert_eq!(raw("HEXPIRE").key("k").needs().since(), Some("7.4.0"));
    assert_eq!(raw("FUTURE.CMD").needs().since(), None);
    let of_module = cmd::bf_add("k", "x").needs();
    assert_eq!(of_module.module(), Some("bf"));
    assert!(
        of_module
            .check(&ServerVersion::new("redis", "7.0.0"))
            .is_ok()
    );
}

#[test]
fn an_old_server_is_not_asked() {
    for protocol in PROTOCOLS {
        let client = blocking::Client::from_config(config(Variant::Redis70, protocol));
        let version = shared(Variant::Redis70).version();
        let (before, hexpire) = (calls(&client, "set"), calls(&client, "hexpire"));
        refused(
            client.set("version:k", "v").ifeq("x").send(),
            &format!(
                "SET: unsupported: `IFEQ ifeq-value` needs version 8.4.0, and the server is redis {version}"
            ),
        );
        refused(
            client.hexpire("version:k", 5, "f").send(),
            &format!(
                "HEXPIRE: unsupported: `HEXPIRE` needs version 7.4.0, and the server is redis {version}"
            ),
        );
        refused(
            client.send(
                raw("HEXPIRE")
                    .key("version:k")
                    .arg(5)
                    .arg("FIELDS")
                    .arg(1)
                    .arg("f"),
            ),
            &format!(
                "HEXPIRE: unsupported: `HEXPIRE` needs version 7.4.0, and the server is redis {version}"
            ),
        );
        refused(
            client.xadd("version:s", "*", ("f", "v")).keepref().send(),
            &format!(
                "XADD: unsupported: `<KEEPREF | DELREF | ACKED>` needs Redis 8.2.0, and the server is redis {version}"
            ),
        );
        let newer = || cmd::set("version:k", "v").ifeq("x");
        let lacks = format!(
            "unsupported: `IFEQ ifeq-value` needs version 8.4.0, and the server is redis {version}"
        );
        let message = format!("SET: {lacks}");
        let nth = |number| format!("SET (command {number} of the batch): {lacks}");
        refused(
            client
                .pipeline((cmd::set("version:k", "1"), newer()))
                .send(),
            &nth(2),
        );
        refused(client.pipeline([newer()]).results().send(), &nth(1));
        refused(
            client
                .transaction((cmd::set("version:k", "1"), newer()))
                .send(),
            &nth(2),
        );
        refused(client.dedicated().unwrap().send(newer()), &message);
        assert_eq!(
            (calls(&client, "set"), calls(&client, "hexpire")),
            (before, hexpire)
        );
        // What it has it is asked, and the connection was not harmed.
        client.set("version:k", "v").get().send().unwrap();
        let (set, get) = (cmd::set("version:k", "w"), cmd::get("version:k"));
        let ((), got) = client.transaction((set, get)).send().unwrap();
        assert_eq!(got.as_deref(), Some(&b"w"[..]));
    }
}

#[tokio::test]
async fn an_old_server_is_not_asked_by_the_async_client() {
    for protocol in PROTOCOLS {
        let client = Client::from_config(config(Variant::Redis70, protocol));
        let version = shared(Variant::Redis70).version();
        let newer = || cmd::set("version:a", "v").ifeq("x");
        let lacks = format!(
            "unsupported: `IFEQ ifeq-value` needs version 8.4.0, and the server is redis {version}"
        );
        let message = format!("SET: {lacks}");
        let nth = |number| format!("SET (command {number} of the batch): {lacks}");
        refused(client.set("version:a", "v").ifeq("x").await, &message);
        refused(
            client.pipeline((cmd::get("version:a"), newer())).await,
            &nth(2),
        );
        refused(client.transaction([newer(), newer()]).await, &nth(1));
        let dedicated = client.dedicated().await.unwrap();
        refused(dedicated.send(newer()).await, &message);
        refused(dedicated.transaction([newer()]).await, &nth(1));
        // A blocking command has a connection of its own, which knows as well.
        refused(
            client
                .xreadgroup("g", "c", [("version:a", ">")])
                .block(5)
                .claim(1)
                .await,
            &format!(
                "XREADGROUP: unsupported: `CLAIM min-idle-time` needs Redis 8.4.0, and the server is redis {version}"
            ),
        );
        client.set("version:a", "v").await.unwrap();
        let got = client
            .pipeline((cmd::get("version:a"), cmd::del("version:a")))
            .await
            .unwrap();
        assert_eq!(got, (Some("v".into()), 1));
    }
}

#[test]
fn a_server_of_the_other_family_is_not_asked() {
    for protocol in PROTOCOLS {
        let valkey = blocking::Client::from_config(config(Variant::Valkey91, protocol));
        let version = shared(Variant::Valkey91).version();
        refused(
            valkey.set("version:v", "v").ifne("x").send(),
            &format!(
                "SET: unsupported: `IFNE ifne-value` needs Redis 8.4.0, and the server is valkey {version}"
            ),
        );
        refused(
            valkey.xackdel("version:s", "g", "1-1").send(),
            &format!(
                "XACKDEL: unsupported: `XACKDEL` needs Redis 8.2.0, and the server is valkey {version}"
            ),
        );
        // What both have, with the version that it has in Redis, is Valkey's own affair.
        valkey.set("version:v", "v").send().unwrap();
        assert!(valkey.set("version:v", "w").ifeq("v").send().unwrap());
        let redis = blocking::Client::from_config(config(Variant::Redis82, protocol));
        let version = shared(Variant::Redis82).version();
        refused(
            redis.client_list().name("x").send(),
            &format!(
                "CLIENT LIST: unsupported: `NAME name` needs Valkey 9.0.0, and the server is redis {version}"
            ),
        );
        refused(
            redis.delifeq("version:v", "x").send(),
            &format!(
                "DELIFEQ: unsupported: `DELIFEQ` needs Valkey 9.0.0, and the server is redis {version}"
            ),
        );
        // Modules have versions of their own.
        let _ = redis.bf_add("version:bf", "x").send().unwrap();
    }
}

#[test]
fn who_does_not_check_asks() {
    let url = shared(Variant::Redis70).url();
    let client = blocking::Client::connect(&url).unwrap();
    let error = client.set("version:n", "v").ifeq("x").send().unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Server, Some("ERR"))
    );
    let error = client.hexpire("version:n", 5, "f").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
}
