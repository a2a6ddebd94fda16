//! Words that the spec does not know, at the end of typed commands and behind their parts.

use bytes::Bytes;
use respec::{ErrorKind, Value, cmd, command::raw, prelude::*};

use crate::caller::{all, clients};

#[test]
fn words_stand_at_the_end_in_the_order_in_which_they_were_said() {
    for case in all("words:end") {
        let (name, caller) = (case.name, &case.caller);
        let set: () = caller
            .call(cmd::set("words:end", "v").word("EX").word(100))
            .unwrap();
        assert_eq!(set, (), "{name}");
        let ttl = caller.call(cmd::ttl("words:end")).unwrap();
        assert!(format!("{ttl:?}").contains("100"), "{name}: {ttl:?}");
        // The options of the command itself are given before.
        let fresh: bool = caller
            .call(cmd::set("words:end", "w").nx().word("PX").word(5000))
            .unwrap();
        assert!(!fresh, "{name}");
        let wrong = caller.call(cmd::get("words:end").word("x")).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Server, "{name}");
        assert_eq!(wrong.command(), Some("GET"), "{name}");
    }
}

#[test]
fn words_stand_behind_a_part_whether_it_was_given_or_not() {
    for case in all("words:part") {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::del("words:part")).unwrap();
        for at in 1..=3 {
            let add = cmd::xadd("words:part", format!("{at}-1"), ("f", "v"));
            let id: Option<Bytes> = caller
                .call(
                    add.word_behind("key", "MAXLEN")
                        .word_behind("key", 2)
                        .decode(),
                )
                .unwrap();
            assert_eq!(id.unwrap(), format!("{at}-1"), "{name}");
        }
        assert_eq!(caller.call(cmd::xlen("words:part")).unwrap(), 2, "{name}");
        // Behind an option that was not given, and in front of one that was.
        let add = cmd::xadd("words:part", "4-1", ("f", "v")).maxlen(1);
        caller
            .call(add.word_behind("condition", "NOMKSTREAM"))
            .unwrap();
        assert_eq!(caller.call(cmd::xlen("words:part")).unwrap(), 1, "{name}");
    }
}

#[test]
fn a_part_that_is_not_there_fails_before_anything_is_sent() {
    for case in all("words:none") {
        let (name, caller) = (case.name, &case.caller);
        caller.call(cmd::set("words:none", "kept")).unwrap();
        // No part of that name, and the last part, behind which words stand without a place.
        for part in ["nothing", "data"] {
            let add = cmd::xadd("words:none", "*", ("f", "v")).word_behind(part, "x");
            let error = caller.call(add).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument, "{name}");
            assert!(error.to_string().contains(part), "{name}: {error}");
            assert!(!error.may_have_executed(), "{name}");
        }
        assert_eq!(caller.call(cmd::r#type("words:none")).unwrap(), "string");
    }
}

#[test]
fn words_go_with_commands_into_batches_and_other_types() {
    for case in all("words:batch") {
        let (name, caller) = (case.name, &case.caller);
        let commands = [
            cmd::set("words:batch", "v").word("EX").word(100).erase(),
            cmd::get("words:batch").erase(),
            cmd::xadd("{words:batch}:s", "*", ("f", "v"))
                .word_behind("key", "NOMKSTREAM")
                .erase(),
            // A word for a command of any type.
            cmd::set("words:batch", "w").erase().word("KEEPTTL").erase(),
        ];
        let expected = [
            Value::SimpleString("OK".into()),
            Value::BulkString("v".into()),
            Value::Nil,
            Value::SimpleString("OK".into()),
        ];
        assert_eq!(caller.pipeline(&commands).unwrap(), expected, "{name}");
        assert_eq!(caller.transaction(&commands).unwrap(), expected, "{name}");
        let old: Option<String> = caller
            .call(cmd::set("words:batch", "x").word("GET").decode())
            .unwrap();
        assert_eq!(old.as_deref(), Some("w"), "{name}");
    }
}

#[test]
fn no_word_is_taken_for_a_key() {
    for case in clients() {
        let (name, caller) = (case.name, &case.caller);
        let keys = ["words:a", "words:b", "words:c"];
        for key in keys {
            caller.call(cmd::set(key, "v")).unwrap();
        }
        caller.call(cmd::set("words:last", "kept")).unwrap();
        // Where nothing ends the keys, a server takes the word for one more, and a cluster has none
        // that could.
        let deleted = caller.call(cmd::unlink(keys).word("words:last"));
        if case.is_cluster {
            let error = deleted.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{name}");
            assert!(!error.may_have_executed(), "{name}");
            let left = caller.call(cmd::exists(keys)).unwrap();
            assert_eq!(left, 3, "{name}");
        } else {
            assert_eq!(deleted.unwrap(), 4, "{name}");
        }
        // The node is that of the keys, wherever the word would lead.
        let one = caller.call(cmd::set("words:a", "w").word("words:b"));
        assert_eq!(one.unwrap_err().kind(), ErrorKind::Server, "{name}");
        // What every node runs has the word everywhere.
        caller.call(cmd::script_flush().word("SYNC")).unwrap();
        let known = raw("SCRIPT").arg("EXISTS").arg("0".repeat(40));
        assert!(caller.call(known).is_ok(), "{name}");
    }
}
