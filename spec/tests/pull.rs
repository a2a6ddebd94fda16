//! Reading a server's answers, byte by byte, from a scripted one.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use respec_codegen::error::Error;
use respec_codegen::source::{Form, Source};
use respec_codegen::spec::Provider;
use respec_spec::pull::{Address, pull};

/// Serves one connection: after each command that arrives the next of the answers. Ends with all
/// that it received.
fn serve(answers: Vec<String>) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = String::new();
        for answer in answers {
            let mut bytes = [0; 1024];
            let count = stream.read(&mut bytes).unwrap();
            received.push_str(&String::from_utf8_lossy(&bytes[..count]));
            stream.write_all(answer.as_bytes()).unwrap();
        }
        received
    });
    (port, server)
}

fn ask(user: &str, answers: &[&str]) -> (Result<Source, Error>, String) {
    let (port, server) = serve(answers.iter().map(|&answer| answer.to_owned()).collect());
    let address = Address::parse(&format!("redis://{user}127.0.0.1:{port}")).unwrap();
    let result = pull(&address, None);
    (result, server.join().unwrap())
}

const HELLO: &str = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n";
const INFO: &str = "=35\r\ntxt:# Server\r\nredis_version:7.2.4\r\n\r\n";
const VALKEY_INFO: &str = "=47\r\ntxt:redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n\r\n";
const COMMAND: &str = "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
    ~2\r\n+@read\r\n+@fast\r\n*0\r\n*1\r\n%3\r\n+flags\r\n~2\r\n+RO\r\n+access\r\n+begin_search\r\n\
    %2\r\n+type\r\n+index\r\n+spec\r\n%1\r\n+index\r\n:1\r\n+find_keys\r\n%2\r\n+type\r\n+range\r\n\
    +spec\r\n%3\r\n+lastkey\r\n:0\r\n+keystep\r\n:1\r\n+limit\r\n:0\r\n*0\r\n";
const DOCS: &str = "%1\r\n$3\r\nget\r\n%4\r\n$7\r\nsummary\r\n$4\r\nGets\r\n$5\r\nsince\r\n$5\r\n\
    1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$9\r\narguments\r\n*1\r\n%3\r\n$4\r\nname\r\n$3\r\nkey\r\n\
    $4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n";

#[test]
fn a_server_tells_its_family_version_and_commands() {
    let (source, received) = ask("", &[HELLO, INFO, COMMAND, DOCS]);
    let source = source.unwrap();
    assert_eq!(source.form, Form::Live);
    assert_eq!(source.provider, Provider::Redis);
    assert_eq!(source.version.as_deref(), Some("7.2.4"));
    let command = &source.commands["GET"];
    assert_eq!(command.arity, 2);
    assert_eq!(command.command_flags, ["fast", "readonly"]);
    assert_eq!(command.arguments[0].key_spec_index, Some(0));
    assert!(command.key_specs[0].flags.contains_key("RO"));
    assert_eq!(source.summaries["GET"], "Gets");
    let expected = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n\
                    *1\r\n$7\r\nCOMMAND\r\n*2\r\n$7\r\nCOMMAND\r\n$4\r\nDOCS\r\n";
    assert_eq!(received, expected);
}

#[test]
fn a_valkey_is_known_by_its_info() {
    let (source, _) = ask("", &[HELLO, VALKEY_INFO, COMMAND, DOCS]);
    let source = source.unwrap();
    assert_eq!(source.provider, Provider::Valkey);
    assert_eq!(source.version.as_deref(), Some("9.1.2"));
}

#[test]
fn pushes_between_the_replies_are_passed_over() {
    let pushed = format!(">2\r\n+message\r\n+hello\r\n{COMMAND}");
    let (source, _) = ask("", &[HELLO, INFO, &pushed, DOCS]);
    assert!(source.unwrap().commands.contains_key("GET"));
}

#[test]
fn the_password_is_sent_and_never_shown() {
    let (result, received) = ask(
        "a%40b:pass%20word@",
        &["-WRONGPASS invalid username-password pair\r\n"],
    );
    let hello = "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\na@b\r\n$9\r\npass word\r\n";
    assert_eq!(received, hello);
    let error = result.expect_err("the password is wrong").to_string();
    assert!(
        error.ends_with(": HELLO: WRONGPASS invalid username-password pair"),
        "{error}"
    );
    assert!(
        !error.contains("pass word") && !error.contains("a@b"),
        "{error}"
    );
}

#[test]
fn a_password_alone_is_that_of_the_default_user() {
    let (_, received) = ask(":secret@", &["-ERR no\r\n"]);
    assert!(
        received.ends_with("$4\r\nAUTH\r\n$7\r\ndefault\r\n$6\r\nsecret\r\n"),
        "{received}"
    );
}

#[test]
fn broken_replies_are_errors() {
    let deep = "*1\r\n".repeat(100);
    for (answer, reason) in [
        ("", "HELLO: unexpected end of file"),
        ("%2\r\n$6\r\nser", "HELLO: unexpected end of file"),
        ("?1\r\n", "HELLO: expected a frame of RESP3, found \"?1\""),
        ("$-5\r\n", "HELLO: expected a frame of RESP3, found \"$-5\""),
        (
            "$99999999999\r\n",
            "HELLO: expected at most 67108864 bytes, found 99999999999",
        ),
        (
            "%1\r\n:1\r\n:1\r\n",
            "HELLO: expected texts as keys of a map",
        ),
        (
            "*1\r\n-ERR inner\r\n",
            "HELLO: found an error inside a reply: ERR inner",
        ),
        ("+OK\r\n", "expected a version from HELLO, found none"),
        (deep.as_str(), "HELLO: the reply is nested too deeply"),
    ] {
        let (result, _) = ask("", &[answer]);
        let error = result.expect_err(answer);
        assert_eq!(error.reason(), reason);
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
    let error = pull(&address, None).expect_err("nobody listens");
    assert_eq!(error.file().to_string_lossy(), format!("127.0.0.1:{port}"));
}

#[test]
fn addresses_are_understood_or_refused() {
    for (url, shown) in [
        ("redis://localhost", "localhost:6379"),
        ("valkey://localhost:7000/", "localhost:7000"),
        ("redis://user:secret@host:1", "host:1"),
        ("redis://[::1]:7000", "::1:7000"),
        ("redis://[::1]", "::1:6379"),
    ] {
        let address = Address::parse(url).unwrap_or_else(|reason| panic!("{url}: {reason}"));
        assert_eq!(address.to_string(), shown);
        assert_eq!(format!("{address:?}"), format!("Address({shown})"));
    }
    for (url, reason) in [
        (
            "localhost:6379",
            "expected redis://host:port or valkey://host:port",
        ),
        ("redis://", "expected a host, found none"),
        ("redis://host:port", "expected a port number, found port"),
        (
            "redis://host:1/2",
            "expected host:port and nothing behind it, found host:1/2",
        ),
        (
            "redis://secret@host",
            "expected username:password in front of the @",
        ),
        (
            "redis://:%zz@host",
            "expected two hexadecimal digits after each % of the URL",
        ),
    ] {
        assert_eq!(Address::parse(url).expect_err(url), reason);
    }
}
