//! What is sent in the place of a command after an error which says that nothing was executed.

use std::fmt;

use respec::{
    Error, ErrorKind, Result, Value, cmd, code,
    command::{Command, Detached, Erased, Info, raw},
    reply::{Decode, DecodeError},
    resp::{Reply, Writer},
};

use crate::caller::{all, clients};

/// A script by its digest, and by its text where the server does not know it.
struct Script<'a> {
    text: &'a str,
    digest: String,
    key: &'a str,
    /// After which code it is sent by its text.
    code: &'static str,
}

impl Command for Script<'_> {
    type Via = Detached;
    type Reply = i64;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        Info::of("EVALSHA").unwrap()
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(b"EVALSHA");
        to.word(self.digest.as_bytes());
        to.integer(1);
        to.key(self.key.as_bytes());
    }

    fn read(&self, reply: Reply<'_>) -> Result<i64, DecodeError> {
        i64::decode(reply)
    }

    fn instead(&self, error: &Error) -> Option<Erased<'_>> {
        let by_text = raw("EVAL").arg(self.text).arg(1).key(self.key);
        (error.code() == Some(self.code)).then(|| by_text.erase())
    }
}

impl fmt::Debug for Script<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        respec::command::debug(self, f)
    }
}

/// A script that no server knows yet, since its text has a name of its own.
fn script<'a>(text: &'a str, key: &'a str) -> Script<'a> {
    Script {
        text,
        // Of a text that no server has: what matters is that it is not known.
        digest: format!("{:040x}", text.len()),
        key,
        code: code::NOSCRIPT,
    }
}

#[test]
fn a_script_goes_by_its_text_where_the_server_does_not_know_it() {
    for case in all("instead:n") {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::del("instead:n")).unwrap();
        let script = script("return redis.call('INCR', KEYS[1])", "instead:n");
        for expected in 1..=3 {
            assert_eq!(caller.call(&script).unwrap(), expected, "{name}");
        }
        // The reply is read as that of the command, also by another type.
        let small: u8 = caller.call((&script).decode()).unwrap();
        assert_eq!(small, 4, "{name}");
        // And a command without its type is still asked.
        let value = caller.call((&script).erase()).unwrap();
        assert_eq!(value, Value::Integer(5), "{name}");
    }
}

#[test]
fn what_is_sent_instead_is_the_end_of_it() {
    for case in all("instead:end") {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::set("instead:end", "text")).unwrap();
        // The text fails as well, and its error is the answer.
        let fails = script("return redis.call('INCR', KEYS[1])", "instead:end");
        let error = caller.call(&fails).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{name}");
        assert_eq!(error.command(), Some("EVALSHA"), "{name}");
        assert!(
            error.to_string().contains("not an integer"),
            "{name}: {error}"
        );
        // Nothing is asked twice: this one would answer every error by the same again.
        let again = Script {
            text: "return redis.error_reply('NOSCRIPT again')",
            ..script("", "instead:end")
        };
        let error = caller.call(&again).unwrap_err();
        assert_eq!(error.code(), Some("NOSCRIPT"), "{name}");
        assert!(error.to_string().contains("again"), "{name}: {error}");
    }
}

#[test]
fn nothing_is_sent_instead_after_an_error_of_what_may_have_run() {
    for case in all("instead:ran") {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::del("instead:ran")).unwrap();
        let text = "redis.call('INCR', KEYS[1]) return redis.error_reply('ERR later')";
        let digest: String = caller
            .call(raw("SCRIPT").arg("LOAD").arg(text).decode())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let ran = Script {
            digest,
            code: "ERR",
            ..script("return redis.call('INCR', KEYS[1])", "instead:ran")
        };
        let error = caller.call(&ran).unwrap_err();
        assert_eq!(error.code(), Some("ERR"), "{name}");
        assert!(error.may_have_executed(), "{name}");
        let n: Option<i64> = caller.call(cmd::get("instead:ran").decode()).unwrap();
        assert_eq!(n, Some(1), "{name}");
    }
}

#[test]
fn in_batches_nothing_is_sent_instead_since_others_have_run_by_then() {
    for case in clients() {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::del("instead:batch")).unwrap();
        let script = script("return redis.call('INCR', KEYS[1])", "instead:batch");
        let commands = [(&script).erase(), cmd::incr("instead:batch").erase()];
        for batch in [caller.pipeline(&commands), caller.transaction(&commands)] {
            assert_eq!(batch.unwrap_err().code(), Some("NOSCRIPT"), "{name}");
        }
        let n: Option<i64> = caller.call(cmd::get("instead:batch").decode()).unwrap();
        assert_eq!(n, Some(2), "{name}");
    }
}
