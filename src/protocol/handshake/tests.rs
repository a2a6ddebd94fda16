use super::*;
use bytes::Bytes;

const PLAIN: Identity<'static> = Identity {
    version: Version::Resp3,
    username: None,
    password: None,
    identify: true,
    client_name: None,
    database: 0,
    version_check: false,
    read_only: false,
};

const HELLO: &[u8] =
    b"%3\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n$2\r\nid\r\n:7\r\n";

/// Sends each script's bytes in turn; returns what was written and where it ended.
fn run(identity: &Identity<'_>, replies: &[&[u8]]) -> (Vec<String>, Result<Progress>) {
    let mut handshake = Handshake::new(identity).unwrap();
    let mut written = Vec::new();
    let mut progress = Ok(Progress::NeedInput);
    for reply in replies {
        let output = handshake.take_output();
        if !output.is_empty() {
            written.push(spoken(&output));
        }
        let frame = Frame::parse(Bytes::copy_from_slice(reply)).unwrap();
        progress = handshake.receive(&frame);
        if !matches!(progress, Ok(Progress::NeedInput)) {
            break;
        }
    }
    let output = handshake.take_output();
    if !output.is_empty() {
        written.push(spoken(&output));
    }
    (written, progress)
}

/// The words of a batch; commands are separated by `;`.
fn spoken(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for line in lines {
        if line.starts_with('*') {
            commands.push(Vec::new());
        } else if !line.starts_with('$') && !line.is_empty() {
            commands.last_mut().unwrap().push(line);
        }
    }
    let commands: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
    commands.join("; ")
}

fn greeting(progress: Result<Progress>) -> Greeting {
    match progress {
        Ok(Progress::Done(greeting)) => greeting,
        other => panic!("expected a greeting, got {other:?}"),
    }
}

const SETINFO: &str = concat!(
    "CLIENT SETINFO LIB-NAME respec; CLIENT SETINFO LIB-VER ",
    env!("CARGO_PKG_VERSION")
);

#[test]
fn resp3_in_two_steps() {
    let (written, progress) = run(&PLAIN, &[HELLO, b"+OK\r\n", b"+OK\r\n"]);
    assert_eq!(written, ["HELLO 3", SETINFO]);
    assert_eq!(
        greeting(progress),
        Greeting {
            version: Version::Resp3,
            server: Some("valkey".into()),
            server_version: Some("9.1.2".into()),
            id: Some(7),
            checked: None,
        }
    );
}

#[test]
fn the_version_to_check_is_that_of_the_greeting_or_asked_for() {
    let checked = Identity {
        version_check: true,
        ..PLAIN
    };
    let ok: &[u8] = b"+OK\r\n";
    let (written, progress) = run(&checked, &[HELLO, ok, ok]);
    assert_eq!(written, ["HELLO 3", SETINFO]);
    let valkey = Some(ServerVersion::new("valkey", "9.1.2"));
    assert_eq!(greeting(progress).checked, valkey);

    let resp2 = Identity {
        version: Version::Resp2,
        ..checked
    };
    let info = b"$73\r\n# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\r\n";
    let (written, progress) = run(&resp2, &[ok, ok, info, b"+PONG\r\n"]);
    assert_eq!(written, [format!("{SETINFO}; INFO server; PING")]);
    let found = greeting(progress);
    assert_eq!((found.checked, found.version), (valkey, Version::Resp2));
    // Who may not ask cannot be checked.
    let denied: &[u8] = b"-NOPERM User worker has no permissions to run the 'info' command\r\n";
    let (_, progress) = run(&resp2, &[ok, ok, denied, b"+PONG\r\n"]);
    assert_eq!(greeting(progress).checked, None);
}

#[test]
fn everything_that_was_asked_for_is_sent() {
    let identity = Identity {
        username: Some("app"),
        password: Some(b"pw"),
        client_name: Some("worker"),
        database: 3,
        read_only: true,
        ..PLAIN
    };
    let ok: &[u8] = b"+OK\r\n";
    let (written, progress) = run(&identity, &[HELLO, ok, ok, ok, ok, ok]);
    assert_eq!(
        written,
        [
            "HELLO 3 AUTH app pw".to_owned(),
            format!("CLIENT SETNAME worker; {SETINFO}; SELECT 3; READONLY")
        ]
    );
    greeting(progress);
}

#[test]
fn a_password_alone_is_that_of_the_default_user() {
    let identity = Identity {
        password: Some(b"pw"),
        ..PLAIN
    };
    let unknown = b"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, \r\n";
    let (written, progress) = run(
        &identity,
        &[unknown, b"+OK\r\n", b"-ERR x\r\n", b"-ERR x\r\n"],
    );
    assert_eq!(written, ["HELLO 3 AUTH default pw", "AUTH pw", SETINFO]);
    assert_eq!(greeting(progress).version, Version::Resp2);
}

#[test]
fn c03_a_user_without_a_password_is_not_left_out() {
    let first = |config: &Config| {
        let mut handshake = Handshake::new(&Identity::of(config)).unwrap();
        String::from_utf8(handshake.take_output().to_vec()).unwrap()
    };
    let config = Config::from_url("redis://alice@h").unwrap();
    let empty = "$5\r\nalice\r\n$0\r\n\r\n";
    assert!(first(&config).starts_with("*5\r\n$5\r\nHELLO\r\n"));
    assert!(first(&config).ends_with(empty));
    let resp2 = config.protocol(Protocol::Resp2);
    assert_eq!(first(&resp2), format!("*3\r\n$4\r\nAUTH\r\n{empty}"));
    let (_, progress) = run(&Identity::of(&resp2), &[b"-WRONGPASS no\r\n"]);
    assert_eq!(progress.unwrap_err().kind(), ErrorKind::Connect);
    let nobody = first(&Config::default());
    assert!(
        nobody.starts_with("*2\r\n"),
        "without a name nobody is authenticated: {nobody}"
    );
}

#[test]
fn c08_an_urgent_connection_asks_for_nothing_that_a_script_holds_up() {
    let config = Config::cluster([crate::cluster::NodeAddress::new("h", 1)])
        .database(3)
        .read_from(crate::cluster::ReadFrom::Any)
        .username("app")
        .password("pw");
    let ok: &[u8] = b"+OK\r\n";
    let busy: &[u8] = b"-BUSY a script is running\r\n";
    let (written, progress) = run(&Identity::urgent(&config), &[HELLO, busy, busy]);
    assert_eq!(written, ["HELLO 3 AUTH app pw", SETINFO]);
    greeting(progress);
    let (written, progress) = run(&Identity::of(&config), &[HELLO, ok, ok, busy]);
    assert_eq!(written[1], format!("{SETINFO}; SELECT 3; READONLY"));
    assert!(progress.is_err());
}

#[test]
fn c14_any_error_that_is_not_about_credentials_means_resp2() {
    let ok: &[u8] = b"+OK\r\n";
    for refusal in [
        &b"-ERR unknown command\r\n"[..],
        b"-ERR Command not supported by this proxy\r\n",
        b"-ERR Protocol version is not an integer or out of range\r\n",
        b"-NOPERM this user has no permissions to run the 'hello' command\r\n",
        b"-unsupported command `HELLO`\r\n",
    ] {
        let identity = Identity {
            password: Some(b"pw"),
            ..PLAIN
        };
        let (written, progress) = run(&identity, &[refusal, ok, ok, ok]);
        assert_eq!(written, ["HELLO 3 AUTH default pw", "AUTH pw", SETINFO]);
        assert_eq!(greeting(progress).version, Version::Resp2);
        // What is wrong with the credentials, `AUTH` by itself tells.
        let (_, progress) = run(&identity, &[refusal, b"-ERR invalid password\r\n"]);
        assert_eq!(progress.unwrap_err().command(), Some("AUTH"));
    }
    for refusal in [&b"-WRONGPASS no\r\n"[..], b"-NOAUTH first\r\n"] {
        let (written, progress) = run(&PLAIN, &[refusal]);
        assert_eq!((written.len(), progress.is_err()), (1, true));
    }
}

#[test]
fn c14_identification_is_an_option_and_its_errors_are_tolerated() {
    let silent = Identity {
        identify: false,
        ..PLAIN
    };
    let (written, progress) = run(&silent, &[HELLO]);
    assert_eq!(written, ["HELLO 3"]);
    greeting(progress);
    let ok: &[u8] = b"+OK\r\n";
    let (written, progress) = run(&silent, &[b"-ERR what\r\n", b"+PONG\r\n"]);
    assert_eq!(written, ["HELLO 3", "PING"]);
    assert_eq!(greeting(progress).version, Version::Resp2);
    let known = Identity {
        identify: false,
        version: Version::Resp2,
        password: Some(b"pw"),
        ..PLAIN
    };
    let (written, progress) = run(&known, &[ok]);
    assert_eq!(written, ["AUTH pw"]);
    greeting(progress);

    let named = Identity {
        client_name: Some("worker"),
        ..PLAIN
    };
    let unknown: &[u8] = b"-ERR unknown command 'CLIENT'\r\n";
    greeting(run(&named, &[HELLO, unknown, unknown, unknown]).1);
    let noauth: &[u8] = b"-NOAUTH Authentication required.\r\n";
    assert!(run(&named, &[HELLO, noauth]).1.is_err());
}

#[test]
fn servers_without_resp3_are_spoken_to_in_resp2() {
    for refusal in [
        &b"-ERR unknown command 'HELLO'\r\n"[..],
        b"-NOPROTO sorry, this protocol version is not supported\r\n",
        b"-LOADING the dataset\r\n",
        b"-BUSY a script\r\n",
    ] {
        let ok: &[u8] = b"+OK\r\n";
        let (written, progress) = run(&PLAIN, &[refusal, ok, ok, b"+PONG\r\n"]);
        assert_eq!(written, ["HELLO 3", &format!("{SETINFO}; PING")]);
        assert_eq!(greeting(progress).version, Version::Resp2);
    }
}

#[test]
fn resp2_does_not_ask_for_more() {
    let identity = Identity {
        version: Version::Resp2,
        username: Some("app"),
        password: Some(b"pw"),
        ..PLAIN
    };
    let ok: &[u8] = b"+OK\r\n";
    let (written, progress) = run(&identity, &[ok, ok, ok]);
    assert_eq!(written, ["AUTH app pw", SETINFO]);
    assert_eq!(greeting(progress).version, Version::Resp2);
}

#[test]
fn a_password_that_is_missing_is_noticed_under_resp2() {
    let identity = Identity {
        version: Version::Resp2,
        ..PLAIN
    };
    let unknown: &[u8] = b"-ERR unknown subcommand 'SETINFO'\r\n";
    let noauth: &[u8] = b"-NOAUTH Authentication required.\r\n";
    let (written, progress) = run(&identity, &[unknown, unknown, noauth]);
    assert_eq!(written, [format!("{SETINFO}; PING")]);
    assert!(progress.unwrap_err().to_string().contains("NOAUTH"));
}

#[test]
fn refusals_name_the_reason_and_no_secret() {
    let identity = Identity {
        username: Some("app"),
        password: Some(b"hunter2"),
        ..PLAIN
    };
    for (reply, reason) in [
        (
            &b"-WRONGPASS invalid username-password pair\r\n"[..],
            "WRONGPASS",
        ),
        (b"-NOAUTH HELLO must be called with\r\n", "NOAUTH"),
        (b"-ERR max number of clients reached\r\n", "full"),
        (
            b"-DENIED Redis is running in protected mode\r\n",
            "protected mode",
        ),
    ] {
        let (written, progress) = run(&identity, &[reply]);
        assert_eq!(written, ["HELLO 3 AUTH app hunter2"]);
        let error = progress.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn settings_that_a_server_refuses_are_fatal_where_they_matter() {
    let identity = Identity {
        client_name: Some("worker"),
        database: 99,
        ..PLAIN
    };
    let ok: &[u8] = b"+OK\r\n";
    let range: &[u8] = b"-ERR DB index is out of range\r\n";
    let (_, progress) = run(&identity, &[HELLO, ok, ok, ok, range]);
    let error = progress.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.command(), Some("SELECT"));

    let busy: &[u8] = b"-BUSY a script is running\r\n";
    let (_, progress) = run(&identity, &[HELLO, busy, busy, busy, ok]);
    greeting(progress);
    let (_, progress) = run(&identity, &[HELLO, ok, ok, ok, busy]);
    assert!(progress.unwrap_err().to_string().contains("BUSY"));

    let (_, progress) = run(&PLAIN, &[HELLO, b"-NOAUTH Authentication required.\r\n"]);
    assert!(progress.unwrap_err().to_string().contains("password"));
}

#[test]
fn c09_a_server_that_will_be_ready_is_told_from_one_that_refuses() {
    let identity = Identity {
        database: 3,
        ..PLAIN
    };
    let ok: &[u8] = b"+OK\r\n";
    for (text, is_passing) in [
        (&b"-LOADING the dataset\r\n"[..], true),
        (b"-BUSY a script is running\r\n", true),
        (b"-MASTERDOWN no link\r\n", true),
        (b"-READONLY a replica\r\n", true),
        (b"-NOPERM no\r\n", false),
        (b"-NOAUTH no\r\n", false),
        (b"-ERR DB index is out of range\r\n", false),
    ] {
        let (_, progress) = run(&identity, &[HELLO, ok, ok, text]);
        let error = progress.unwrap_err();
        assert_eq!(is_not_ready(&error), is_passing, "{error}");
        let source = std::error::Error::source(&error).unwrap();
        let said = source.downcast_ref::<Error>().unwrap();
        assert!(text.starts_with(format!("-{}", said.code().unwrap()).as_bytes()));
    }
    let (_, full) = run(&PLAIN, &[b"-ERR max number of clients reached\r\n"]);
    assert!(!is_not_ready(&full.unwrap_err()));
}

#[test]
fn pushes_do_not_count() {
    let push: &[u8] = b">2\r\n+invalidate\r\n_\r\n";
    let ok: &[u8] = b"+OK\r\n";
    let (_, progress) = run(&PLAIN, &[push, HELLO, push, ok, push, ok]);
    greeting(progress);
}
