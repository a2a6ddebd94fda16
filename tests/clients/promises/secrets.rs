//! What is told about clients, calls and errors holds no password, no key and no value.

use std::{
    error,
    fmt::{Debug, Write as _},
    time::Duration,
};

use respec::{CallOptions, Error, ErrorKind, Result, cmd, command::raw, prelude::*};
use respec_testkit::{
    Server, Variant,
    canary::{assert_absent, secret},
};

use super::{Client, PROTOCOLS, config, next_push};
use crate::words::args;

/// All that was told.
#[derive(Default)]
struct Told(String);

impl Told {
    fn debug(&mut self, thing: &impl Debug) {
        let _ = writeln!(self.0, "{thing:?}\n{thing:#?}");
    }

    /// An error with all that stands behind it.
    fn error<T>(&mut self, result: Result<T>) -> Error {
        let Err(error) = result else {
            panic!("a call succeeded that must not");
        };
        let mut source: Option<&dyn error::Error> = Some(&error);
        while let Some(next) = source {
            let _ = writeln!(self.0, "{next}\n{next:?}\n{next:#?}");
            source = next.source();
        }
        error
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_passwords_keys_and_values() {
    let [password, key, value] = ["password", "key", "value"].map(secret);
    let (key, value) = (key.as_str(), value.as_str());
    for variant in Variant::ALL {
        let server = Server::builder(variant).config("requirepass", &password);
        let server = server.start().unwrap();
        let reader = secret("reader");
        let rights = [">", &reader].concat();
        acl(&server, &["SETUSER", "reader", "on", &rights, "~*", "+get"]);
        for protocol in PROTOCOLS {
            let mut told = Told::default();
            let anybody = config(&server).protocol(protocol);
            let config = anybody.clone().password(password.as_str());
            told.debug(&config);
            told.0 += &config.to_string();
            told.0 += &serde_json::to_string(&config).unwrap();
            let client = Client::from_config(config);
            done!(client.send(args(&["FLUSHALL"]))).unwrap();
            told.debug(&client);
            told.debug(&client.with(CallOptions::new().idempotent()));
            told.debug(client.config());

            // Commands and batches, on their way and before.
            told.debug(&cmd::set(key, value).nx().ex(10));
            told.debug(&client.set(key, value).get());
            told.debug(&cmd::set(key, value).erase());
            told.debug(&cmd::get(key).decode::<i64>());
            told.debug(&cmd::get(key).word(value));
            told.debug(&raw("SET").key(key).arg(value));
            told.debug(&client.pipeline((cmd::set(key, value), cmd::get(key))));
            told.debug(&client.transaction([cmd::set(key, value)]));
            told.debug(&client.send(cmd::set(key, value)));
            told.debug(&cmd::zadd(key, [(1, value)]));
            told.debug(&cmd::acl_setuser("someone").rule([&rights]));

            // What servers answer with an error, one by one and in batches.
            reply!(client.set(key, value)).unwrap();
            told.error(reply!(client.lpush(key, value)));
            told.error(reply!(client.get(key).decode::<i64>()));
            told.error(reply!(client.get(key).decode::<Vec<(u8, u8)>>()));
            told.error(reply!(client.set(key, value).word(value)));
            told.error(reply!(
                client.pipeline((cmd::lpush(key, value), cmd::get(key)))
            ));
            told.error(reply!(
                client.transaction((cmd::lpush(key, value), cmd::get(key)))
            ));
            for unknown in [
                raw("NO.SUCH").key(key).arg(value),
                raw("OBJECT").arg(value).arg(key),
                raw("CONFIG").arg(value).arg(&password),
                raw("GET").key(key).arg(value),
            ] {
                told.debug(&unknown);
                let error = told.error(done!(client.send(unknown)));
                assert_eq!(error.kind(), ErrorKind::Server, "{variant:?}: {error}");
            }

            // Passwords that a server repeats when it refuses them.
            for modifier in ["<", "!", "#", "(", "+", ""] {
                let modifier = [modifier, &password].concat();
                let error = told.error(done!(
                    client.send(args(&["ACL", "SETUSER", "someone", &modifier]))
                ));
                let repeats = error.server_message().unwrap();
                assert!(repeats.contains(&modifier), "{variant:?}: {repeats}");
            }
            let wrong = ["CONFIG", "SET", &password, &password];
            told.error(done!(client.send(args(&wrong))));

            // What a client refuses by itself.
            for refused in [
                args(&["AUTH", &password]),
                args(&["HELLO", "3", "AUTH", "default", &password]),
                args(&["SUBSCRIBE", key]),
            ] {
                told.debug(&refused.name());
                let error = told.error(done!(client.send(refused)));
                assert_eq!(error.kind(), ErrorKind::Refused);
            }
            let own = done!(client.dedicated()).unwrap();
            told.debug(&own);
            told.error(done!(own.send(args(&["AUTH", "default", value]))));
            told.error(done!(own.send(args(&["GET", key, value]))));

            // Who is not let in.
            let nobody = secret("nobody");
            for wrong in [
                anybody.clone(),
                anybody.clone().password(value),
                anybody.clone().username("reader").password(value),
                anybody.clone().username(nobody.as_str()).password(value),
            ] {
                let client = Client::from_config(wrong);
                let error = told.error(reply!(client.get(key)));
                assert_eq!(error.kind(), ErrorKind::Connect);
            }
            let reads = anybody.username("reader").password(reader.as_str());
            let reader = Client::from_config(reads);
            assert_eq!(reply!(reader.get(key)).unwrap().unwrap(), value);
            told.debug(&reader);
            let error = told.error(reply!(reader.set(key, value)));
            assert_eq!(error.code(), Some("NOPERM"));

            // Messages.
            let subscriber = done!(client.dedicated()).unwrap();
            reply!(subscriber.subscribe(key)).unwrap();
            reply!(client.publish(key, value)).unwrap();
            loop {
                let push = next_push(&subscriber).await.unwrap();
                told.debug(&push);
                if push.kind() == Some(b"message") {
                    break;
                }
            }

            // Time that has run out, connections that are lost, and a client that has ended.
            let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(20)));
            let absent = secret("absent");
            let error = told.error(reply!(hurried.blpop([&absent], 0)));
            assert!(error.is_timeout());
            done!(client.close(Duration::from_secs(10))).unwrap();
            let error = told.error(reply!(client.get(key)));
            assert_eq!(error.kind(), ErrorKind::Closed);

            assert_absent("what was told", &told.0);
        }
    }
}

fn acl(server: &Server, words: &[&str]) {
    let words: Vec<&[u8]> = ["ACL"]
        .iter()
        .chain(words)
        .map(|word| word.as_bytes())
        .collect();
    assert_eq!(server.command(&words).unwrap(), b"+OK\r\n");
}
