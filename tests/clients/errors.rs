//! Errors that say what to do, or what they are about.

use respec::{Client, Config, ErrorKind, blocking, cmd, command::raw, prelude::*};
use respec_testkit::{Cluster, Variant, shared};

use crate::caller::{all, clients, wait};

#[test]
fn an_unknown_command_is_named_by_its_word() {
    for case in all("errors:raw") {
        let (name, caller) = (case.name, &case.caller);
        let error = caller
            .call(raw("NO.SUCH").key("errors:raw").arg("secret"))
            .unwrap_err();
        assert_eq!(error.command(), Some("NO.SUCH"), "{name}");
        assert!(
            error.to_string().starts_with("NO.SUCH: "),
            "{name}: {error}"
        );
        assert!(!error.to_string().contains("secret"), "{name}: {error}");
        // What is no name may be anything, and is not told.
        let error = caller.call(raw("AUTH secret")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{name}");
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{name}: {error}"
        );
        let error = caller.call(raw("s\u{e9}cret")).unwrap_err();
        assert_eq!(error.command(), Some("an unknown command"), "{name}");
        // In a batch each has its own name, as has one without its type.
        let unknown = raw("NO.SUCH").key("errors:raw");
        let commands = [cmd::echo("x").erase(), unknown.clone().erase()];
        let error = caller.pipeline(&commands).unwrap_err();
        assert_eq!(error.command(), Some("NO.SUCH"), "{name}");
        let error = caller.transaction(&commands).unwrap_err();
        assert_eq!(error.command(), Some("NO.SUCH"), "{name}");
        assert!(!error.may_have_executed(), "{name}");
        assert_eq!(format!("{unknown:?}"), "NO.SUCH (2 words)");
    }
}

#[test]
fn a_text_that_is_no_number_is_described_and_not_told() {
    for case in clients() {
        let (name, caller) = (case.name, &case.caller);
        let read = |text: &str| {
            caller.call(cmd::set("errors:text", text)).unwrap();
            let number = caller.call(cmd::get("errors:text").decode::<i64>());
            number.unwrap_err().to_string()
        };
        let expected = "GET: unexpected reply: expected an integer of type i64, found";
        assert_eq!(
            read("abc"),
            format!("{expected} a text of 3 bytes that is none"),
            "{name}"
        );
        assert_eq!(read(""), format!("{expected} an empty text"), "{name}");
        assert_eq!(
            read("1.5"),
            format!("{expected} a text that is no such number"),
            "{name}"
        );
    }
}

/// An error of the async client and one of the blocking client, each of a first call.
fn of_both(config: &Config) -> [respec::Error; 2] {
    let asynchronous = wait(async {
        let client = Client::from_config(config.clone());
        // One of so many keys lies at another node.
        for at in 0..64 {
            client.get(format!("errors:{at}")).await?;
        }
        Ok(())
    });
    let blocking = (|| {
        let client = blocking::Client::from_config(config.clone());
        for at in 0..64 {
            client.get(format!("errors:{at}")).send()?;
        }
        Ok(())
    })();
    [asynchronous.unwrap_err(), blocking.unwrap_err()]
}

#[test]
fn a_client_of_one_server_at_a_cluster_names_the_other_scheme() {
    let cluster = Cluster::shared(Variant::Redis70);
    let url = cluster.url().replace("redis-cluster://", "redis://");
    let url = url.split(',').next().unwrap();
    for error in of_both(&Config::from_url(url).unwrap()) {
        assert_eq!(error.code(), Some("MOVED"));
        assert!(error.to_string().contains("redis-cluster"), "{error}");
        // The server's own text stays what it is.
        assert!(!error.server_message().unwrap().contains("scheme"));
    }
    let several = Config::from_url(url).unwrap();
    let client = blocking::Client::from_config(several);
    let error = client.mget(["errors:1", "errors:2"]).send().unwrap_err();
    assert!(error.to_string().contains("redis-cluster"), "{error}");
}

#[test]
fn a_client_of_a_cluster_at_one_server_names_the_other_scheme() {
    let url = shared(Variant::Redis70).url();
    let url = url.replace("redis://", "redis-cluster://");
    let url = format!("{url}?response_timeout=2s");
    for error in of_both(&Config::from_url(&url).unwrap()) {
        let text = error.to_string();
        assert!(text.contains("cluster support disabled"), "{text}");
        assert!(text.contains("scheme redis "), "{text}");
    }
}

#[test]
fn a_cluster_does_not_send_its_users_elsewhere() {
    for case in clients().into_iter().filter(|case| case.is_cluster) {
        let keys = ["errors:a", "errors:b", "errors:c"];
        let error = case.caller.call(cmd::sinter(keys)).unwrap_err();
        assert!(!error.to_string().contains("scheme"), "{error}");
    }
}
