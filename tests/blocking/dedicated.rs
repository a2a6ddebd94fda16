//! Connections of one caller: messages are waited for as long as the caller says.

use std::time::{Duration, Instant};

use respec::{Protocol, blocking::Client};

use crate::support::{client, hasty, server, text, words};

#[test]
fn a_message_is_waited_for_with_a_limit() {
    let (soon, brief) = (Duration::from_secs(5), Duration::from_millis(50));
    for protocol in [Protocol::Resp3, Protocol::Resp2] {
        let client = Client::from_config(hasty(server()).protocol(protocol));
        let dedicated = client.dedicated().unwrap();
        assert!(dedicated.next_push(brief).unwrap().is_none());
        dedicated.send(words("SUBSCRIBE dedicated:limit")).unwrap();
        client.send(words("PUBLISH dedicated:limit hello")).unwrap();
        let message = dedicated.next_push(soon).unwrap().expect("a message");
        assert!(text(&message.value().unwrap()).contains("hello"));
        let start = Instant::now();
        assert!(dedicated.next_push(brief).unwrap().is_none());
        assert!(start.elapsed() >= brief);
        // It is still good for calls.
        assert!(dedicated.send(words("UNSUBSCRIBE")).is_ok());
    }
    // A message that comes later does not harm what was given up.
    let dedicated = client().dedicated().unwrap();
    assert!(dedicated.next_push(Duration::ZERO).unwrap().is_none());
    assert_eq!(dedicated.send(words("ECHO x")).unwrap(), "x");
}
