//! The URL form of a config: what is read, what is refused and what is printed.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*};
use respec::{
    Address, Config, ErrorKind, Integrity, Protocol,
    cluster::{AddressMap, NodeAddress, ReadFrom},
    resp::Limits,
};

fn tcp(host: &str, port: u16) -> Config {
    Config::tcp(host, port)
}

fn cluster<const N: usize>(nodes: [(&str, u16); N]) -> Config {
    Config::cluster(nodes.map(|(host, port)| NodeAddress::new(host, port)))
}

#[test]
fn the_forms_of_an_address() {
    for (url, expected) in [
        ("redis://localhost", tcp("localhost", 6379)),
        ("REDIS://localhost/", tcp("localhost", 6379)),
        ("valkey://10.0.0.1:7000", tcp("10.0.0.1", 7000)),
        (
            "redis://my_host.local:1/15",
            tcp("my_host.local", 1).database(15),
        ),
        ("redis://h?db=3", tcp("h", 6379).database(3)),
        ("redis://h/?db=3", tcp("h", 6379).database(3)),
        ("redis://[::1]", tcp("::1", 6379)),
        (
            "redis://[2001:db8::1]:7000/2",
            tcp("2001:db8::1", 7000).database(2),
        ),
        ("redis://[fe80::1%25eth0]:7000", tcp("fe80::1%eth0", 7000)),
        ("unix:///run/redis.sock", Config::unix("/run/redis.sock")),
        (
            "redis+unix:///run/a%20b%25.sock?db=4",
            Config::unix("/run/a b%.sock").database(4),
        ),
        (
            "valkey+unix://u:p@/run/r@1.sock",
            Config::unix("/run/r@1.sock").username("u").password("p"),
        ),
        ("redis-cluster://h", cluster([("h", 6379)])),
        (
            "valkey-cluster://a,b:7001,[::1]:7002/2",
            cluster([("a", 6379), ("b", 7001), ("::1", 7002)]).database(2),
        ),
        (
            "redis-cluster://user:p%2Cw@a:1,b:2?db=1",
            cluster([("a", 1), ("b", 2)])
                .database(1)
                .username("user")
                .password("p,w"),
        ),
    ] {
        assert_eq!(Config::from_url(url).unwrap(), expected, "{url}");
    }
}

#[test]
fn the_forms_of_credentials() {
    for (url, username, password) in [
        ("redis://h", None, None),
        ("redis://user@h", Some("user"), None),
        ("redis://user:@h", Some("user"), Some("")),
        ("redis://:pw@h", None, Some("pw")),
        ("redis://user:p:w@h", Some("user"), Some("p:w")),
        // Decoded once, and a plus is a plus.
        (
            "redis://a%2525b:%2541+%2A%2A%2A@h",
            Some("a%25b"),
            Some("%41+***"),
        ),
        ("redis://%C3%A9:%2F%3F%23%40%3A@h", Some("é"), Some("/?#@:")),
    ] {
        let config = Config::from_url(url).unwrap();
        assert_eq!(config.settings().username(), username, "{url}");
        let exposed = config
            .settings()
            .password()
            .map(|password| password.expose());
        assert_eq!(exposed, password.map(str::as_bytes), "{url}");
    }
    let bytes = Config::from_url("redis://:%FF%00@h").unwrap();
    assert_eq!(bytes.settings().password().unwrap().expose(), b"\xff\0");
}

#[test]
fn every_option() {
    let config = Config::from_url(
        "redis://h?protocol=resp2&client_name=worker%2B1&version_check=true&connect_timeout=1m&response_timeout=none\
         &tcp_nodelay=false&tcp_keepalive=0&tcp_user_timeout=4500ms&pool_min=2&pool_max=3\
         &pool_idle_timeout=0s&pool_lifetime=2h&pool_wait=250us&max_unanswered=1mb\
         &max_unread=2mb&heartbeat=250ms&silence_timeout=4s&integrity=batch\
         &max_frame=2gb&max_bulk=1000&max_depth=7",
    )
    .unwrap();
    let expected = tcp("h", 6379)
        .protocol(Protocol::Resp2)
        .client_name("worker+1")
        .version_check(true)
        .connect_timeout(Duration::from_secs(60))
        .response_timeout(None)
        .tcp_nodelay(false)
        .tcp_keepalive(None)
        .tcp_user_timeout(Duration::from_millis(4500))
        .pool_min(2)
        .pool_max(3)
        .pool_idle_timeout(Duration::ZERO)
        .pool_lifetime(Duration::from_secs(7200))
        .pool_wait(Duration::from_micros(250))
        .max_unanswered(1 << 20)
        .max_unread(2 << 20)
        .heartbeat(Duration::from_millis(250))
        .silence_timeout(Duration::from_secs(4))
        .integrity(Integrity::Batch)
        .limits(
            Limits::default()
                .with_frame(2 << 30)
                .with_bulk(1000)
                .with_depth(7),
        );
    assert_eq!(config, expected);
    let same = Config::from_url("redis://h?protocol=resp3&pool_wait=none").unwrap();
    assert_eq!(same, tcp("h", 6379).pool_wait(Duration::ZERO));
}

#[test]
fn every_option_of_a_cluster() {
    for (value, read_from) in [
        ("primary", ReadFrom::Primary),
        ("prefer_replica", ReadFrom::PreferReplica),
        ("any", ReadFrom::Any),
        ("nearest", ReadFrom::Nearest),
        ("zone:eu-1%3Aa", ReadFrom::Zone("eu-1:a".into())),
    ] {
        let url = format!("redis-cluster://h?read_from={value}&topology_refresh=5s&split=false");
        let expected = cluster([("h", 6379)])
            .read_from(read_from)
            .topology_refresh(Duration::from_secs(5))
            .split(false);
        assert_eq!(Config::from_url(&url).unwrap(), expected, "{url}");
    }
    let never = Config::from_url("redis-cluster://h?topology_refresh=none").unwrap();
    assert_eq!(never.settings().topology_refresh(), None);
    let mapped = cluster([("h", 1)]).address_map(AddressMap::table([(
        NodeAddress::new("10.0.0.1", 1),
        NodeAddress::new("h", 2),
    )]));
    assert!(mapped.check().is_ok());
    assert_eq!(mapped.to_string(), "redis-cluster://h:1");
}

#[test]
fn what_is_refused_and_what_the_message_says() {
    for (url, message) in [
        (
            "localhost:6379",
            "URL: expected `redis://` or another scheme at its start",
        ),
        (
            "http://h",
            "scheme: expected `redis`, `redis+unix`, `redis-cluster`, the same with `valkey`, or `unix`",
        ),
        (
            "rediss://h",
            "scheme: this version does not support TLS yet",
        ),
        (
            "valkeys://h",
            "scheme: this version does not support TLS yet",
        ),
        (
            "rediss-cluster://a,b:7001",
            "scheme: this version does not support TLS in a cluster yet",
        ),
        (
            "redis-cluster://",
            "host: expected a name or an address, got none",
        ),
        (
            "redis-cluster://a,",
            "host: expected a name or an address, got none",
        ),
        (
            "redis-cluster://a,b:0",
            "port: expected `:` and 1 to 65535, got `:0`",
        ),
        (
            "redis-cluster://a;b",
            "host: expected a name of ASCII letters, digits, `-`, `.` and `_`, or an IP address, got `a;b`",
        ),
        (
            "redis-cluster://a/x",
            "path: expected the number of a database, got `x`",
        ),
        ("redis-cluster://a/1?db=1", "db: expected once, got twice"),
        (
            "redis-cluster://a?read_from=replica",
            "read_from: expected primary, prefer_replica, any, nearest, or zone: and an availability zone, got `replica`",
        ),
        (
            "redis-cluster://a?read_from=zone:",
            "read_from: expected primary, prefer_replica, any, nearest, or zone: and an availability zone, got `zone:`",
        ),
        (
            "redis-cluster://a?split=no",
            "split: expected true or false, got `no`",
        ),
        (
            "redis-cluster://a?topology_refresh=5",
            "topology_refresh: expected none or a time such as 500ms or 2s, got `5`",
        ),
        (
            "redis://h?read_from=any",
            "read_from: expected only in the URL of a cluster",
        ),
        (
            "redis-sentinel://a/b",
            "scheme: this version does not support Sentinel yet",
        ),
        ("redis://", "host: expected a name or an address, got none"),
        (
            "redis://:6379",
            "host: expected a name or an address, got none",
        ),
        (
            "redis://a,b",
            "host: expected a name of ASCII letters, digits, `-`, `.` and `_`, or an IP address, got `a,b`",
        ),
        (
            "redis://[::1",
            "host: expected `]` at the end of an IPv6 address",
        ),
        (
            "redis://[h]",
            "host: expected an IPv6 address in brackets, got `h`",
        ),
        (
            "redis://[::1]6379",
            "port: expected `:` and 1 to 65535, got `6379`",
        ),
        ("redis://h:", "port: expected `:` and 1 to 65535, got `:`"),
        ("redis://h:0", "port: expected `:` and 1 to 65535, got `:0`"),
        (
            "redis://h:+1",
            "port: expected `:` and 1 to 65535, got `:+1`",
        ),
        (
            "redis://h:65536",
            "port: expected `:` and 1 to 65535, got `:65536`",
        ),
        (
            "redis://h/x",
            "path: expected the number of a database, got `x`",
        ),
        (
            "redis://h/1/",
            "path: expected the number of a database, got `1/`",
        ),
        (
            "redis://h/-1",
            "path: expected the number of a database, got `-1`",
        ),
        (
            "redis://h#x",
            "fragment: expected none; a `#` is written as %23",
        ),
        (
            "redis://h /1",
            "URL: expected spaces and control characters to be percent-encoded",
        ),
        (
            "redis://@h",
            "user: expected a user or a password before `@`, got neither",
        ),
        (
            "redis://:%zz@h",
            "password: expected two hexadecimal digits after `%`, which itself is written as %25",
        ),
        ("redis://%FF@h", "user: expected percent-encoded UTF-8"),
        ("unix://", "path: expected the absolute path of a socket"),
        ("unix:///", "path: expected the absolute path of a socket"),
        (
            "unix://run/redis.sock",
            "host: expected none before the path of a socket, got `run`",
        ),
        (
            "unix:///a%00b",
            "path of the socket: expected an absolute path",
        ),
        ("redis://h?", "options: expected `name=value`, got ``"),
        ("redis://h?db", "options: expected `name=value`, got `db`"),
        ("redis://h?db=1&", "options: expected `name=value`, got ``"),
        (
            "redis://h?timeout=1s",
            "options: expected a known option, got `timeout`",
        ),
        (
            "redis://h?password=canary",
            "options: expected a known option, got `password`",
        ),
        (
            "redis://h?DB=1",
            "options: expected a known option, got `DB`",
        ),
        ("redis://h?db=1&db=1", "db: expected once, got twice"),
        ("redis://h/1?db=1", "db: expected once, got twice"),
        (
            "redis://h?db=4294967296",
            "db: expected the number of a database, got `4294967296`",
        ),
        (
            "redis://h?protocol=3",
            "protocol: expected resp2 or resp3, got `3`",
        ),
        (
            "redis://h?client_name=a%20b",
            "client_name: expected printable ASCII without spaces, got `a b`",
        ),
        (
            "redis://h?client_name=",
            "client_name: expected printable ASCII without spaces, got ``",
        ),
        (
            "redis://h?connect_timeout=0",
            "connect_timeout: expected a time above zero, such as 500ms or 2s, got `0`",
        ),
        (
            "redis://h?response_timeout=5",
            "response_timeout: expected none or a time such as 500ms or 2s, got `5`",
        ),
        (
            "redis://h?response_timeout=1.5s",
            "response_timeout: expected none or a time such as 500ms or 2s, got `1.5s`",
        ),
        (
            "redis://h?response_timeout=99999999999999999999h",
            "response_timeout: expected none or a time such as 500ms or 2s, got `99999999999999999999h`",
        ),
        (
            "redis://h?tcp_nodelay=yes",
            "tcp_nodelay: expected true or false, got `yes`",
        ),
        (
            "redis://h?pool_max=0",
            "pool_max: expected a number of connections, 1 or more, got `0`",
        ),
        (
            "redis://h?pool_min=65",
            "pool_min: expected at most pool_max, which is 64, got 65",
        ),
        (
            "redis://h?max_frame=1tb",
            "max_frame: expected a number of bytes such as 1048576 or 512mb, got `1tb`",
        ),
        (
            "redis://h?max_frame=99999999999999999gb",
            "max_frame: expected a number of bytes such as 1048576 or 512mb, got `99999999999999999gb`",
        ),
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            format!("invalid configuration: {message}"),
            "{url}"
        );
    }
}

#[test]
fn no_message_repeats_a_password_that_is_not_encoded() {
    let separators = [
        "/", "?", "#", "@", ":", "[", "]", " ", "%", "%zz", "&", "=", ",", "://",
    ];
    for before in [
        "redis://:",
        "redis://user:",
        "redis://",
        "unix://:",
        "user:",
        "redis://[::1]:",
        "redis-cluster://:",
        "redis-cluster://a,b:",
    ] {
        for separator in separators {
            for after in ["@host", "@host:6379/1?db=2", "@/run/redis.sock"] {
                for url in [
                    format!("{before}canary{separator}canary{after}"),
                    format!("{before}{separator}canary{after}"),
                    format!("{before}1{separator}canary{separator}canary=canary{after}"),
                ] {
                    if let Err(error) = Config::from_url(&url) {
                        let text = format!("{error} {error:?}");
                        assert!(!text.contains("canary"), "{url}: {text}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_password_is_masked_wherever_a_config_is_shown() {
    let url = "redis://user:canary@h:7000/1?client_name=me";
    let config: Config = url.parse().unwrap();
    let masked = "redis://user:***@h:7000/1?client_name=me";
    assert_eq!(config.to_string(), masked);
    assert_eq!(
        serde_json::to_string(&config).unwrap(),
        format!("\"{masked}\"")
    );
    assert!(!format!("{config:?} {config:#?}").contains("canary"));
    assert_eq!(config.to_url_with_secrets(), url);
    let config = Config::from_url("redis-cluster://:canary@a,b:7001/1?split=false").unwrap();
    assert_eq!(
        config.to_string(),
        "redis-cluster://:***@a,b:7001/1?split=false"
    );

    let config: Config = url.parse().unwrap();
    let read: Config = serde_json::from_str(&format!("\"{url}\"")).unwrap();
    assert_eq!(read, config);
    let error = serde_json::from_str::<Config>(&format!("\"{masked}\"")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("got the mask of one that was printed"),
        "{error}"
    );
    assert!(
        serde_json::from_str::<Config>("1")
            .unwrap_err()
            .to_string()
            .contains("URL of a server")
    );
}

#[test]
fn what_is_built_is_checked_as_what_is_read() {
    assert!(Config::default().check().is_ok());
    for bad in [
        tcp("a b", 1),
        tcp("", 1),
        tcp("[::1]", 1),
        tcp("h", 0),
        Config::unix("relative.sock"),
        Config::unix("/"),
        tcp("h", 1).client_name("me").identify(false),
        tcp("h", 1).limits(Limits::default().with_depth(0)),
        tcp("h", 1).limits(Limits::default().with_bulk(0)),
        tcp("h", 1).limits(Limits::default().with_frame(0)),
        Config::cluster([]),
        cluster([("h", 1), ("a b", 1)]),
        cluster([("h", 0)]),
        cluster([("h", 1)]).read_from(ReadFrom::Zone("".into())),
        tcp("h", 1).client_name("a\nb"),
        tcp("h", 1).connect_timeout(Duration::ZERO),
        tcp("h", 1).pool_max(0),
        tcp("h", 1).pool_max(1).pool_min(2),
    ] {
        assert_eq!(
            bad.check().unwrap_err().kind(),
            ErrorKind::Config,
            "{bad:?}"
        );
    }
}

/// Both sides of the bounds of the time after which the kernel ends a connection.
#[test]
fn c04_c05_the_kernel_ends_no_connection_that_the_other_times_let_live() {
    let s = Duration::from_secs;
    let of = |config: &Config| config.settings().tcp_user_timeout();
    // By default: the longest of the response, keepalive with its probes, and the give-up.
    let config = tcp("h", 1);
    assert_eq!(of(&config), Some(s(11)));
    let without = config.clone().tcp_keepalive(None);
    assert_eq!(of(&without), Some(s(10)));
    assert_eq!(of(&without.clone().silence_timeout(s(20))), Some(s(20)));
    assert_eq!(of(&without.heartbeat(None)), Some(s(5)));
    assert_eq!(of(&config.clone().response_timeout(s(60))), Some(s(60)));
    assert_eq!(of(&config.clone().tcp_keepalive(s(60))), Some(s(66)));
    assert_eq!(of(&config.clone().tcp_user_timeout(None)), None);
    assert_eq!(config.to_string(), "redis://h:1");
    for url in [
        "redis://h:1?tcp_user_timeout=none",
        "redis://h:1?tcp_user_timeout=11s",
    ] {
        assert_eq!(Config::from_url(url).unwrap().to_string(), url);
    }
    let auto = Config::from_url("redis://h:1?tcp_user_timeout=auto").unwrap();
    assert_eq!(auto, config);

    for (url, message) in [
        (
            "redis://h?tcp_user_timeout=3s",
            "tcp_user_timeout: expected at least the time of response_timeout, which is 5s, got 3s",
        ),
        (
            "redis://h?tcp_user_timeout=10999ms",
            "tcp_user_timeout: expected at least the time of tcp_keepalive with its probes, which is 11s, got 10.999s",
        ),
        (
            "redis://h?tcp_keepalive=none&tcp_user_timeout=9999ms",
            "tcp_user_timeout: expected at least the time of silence_timeout, which is 10s, got 9.999s",
        ),
        (
            "redis://h?tcp_keepalive=none&tcp_user_timeout=5999ms&response_timeout=6s",
            "tcp_user_timeout: expected at least the time of response_timeout, which is 6s, got 5.999s",
        ),
    ] {
        let error = Config::from_url(url).unwrap_err().to_string();
        assert!(error.ends_with(message), "{error}");
    }
    for url in [
        "redis://h?tcp_user_timeout=11s",
        "redis://h?tcp_keepalive=none&tcp_user_timeout=10s",
        "redis://h?tcp_keepalive=none&heartbeat=none&tcp_user_timeout=5s",
        "redis://h?tcp_keepalive=none&silence_timeout=1ms&tcp_user_timeout=1ms&response_timeout=none",
    ] {
        assert!(Config::from_url(url).is_ok(), "{url}");
    }
}

#[test]
fn c20_every_setting_reads_as_it_was_set() {
    let s = Duration::from_secs;
    let map = AddressMap::table([(NodeAddress::new("a", 1), NodeAddress::new("b", 2))]);
    let config = cluster([("h", 1)])
        .username("u")
        .password("p")
        .database(1)
        .client_name("n")
        .protocol(Protocol::Resp2)
        .version_check(true)
        .connect_timeout(s(1))
        .response_timeout(s(2))
        .max_unanswered(3)
        .limits(Limits::default().with_depth(4))
        .tcp_nodelay(false)
        .tcp_keepalive(s(5))
        .tcp_user_timeout(s(11))
        .max_unread(13)
        .heartbeat(s(14))
        .silence_timeout(s(6))
        .integrity(Integrity::Batch)
        .pool_min(7)
        .pool_max(8)
        .pool_idle_timeout(s(9))
        .pool_lifetime(s(10))
        .pool_wait(s(11))
        .read_from(ReadFrom::Any)
        .topology_refresh(s(12))
        .split(false)
        .address_map(map.clone());
    let it = config.settings();
    assert_eq!(it.address().to_string(), "h:1");
    assert_eq!(
        (it.username(), it.database(), it.client_name()),
        (Some("u"), 1, Some("n"))
    );
    assert!(it.password().is_some() && it.identify() && it.version_check());
    assert_eq!((it.protocol(), it.limits().depth), (Protocol::Resp2, 4));
    assert_eq!(
        (it.connect_timeout(), it.response_timeout()),
        (s(1), Some(s(2)))
    );
    assert_eq!(
        (it.max_unanswered(), it.tcp_nodelay(), it.split()),
        (3, false, false)
    );
    assert_eq!(
        (it.tcp_keepalive(), it.tcp_user_timeout()),
        (Some(s(5)), Some(s(11)))
    );
    assert_eq!(
        (it.pool_min(), it.pool_max(), it.pool_wait()),
        (7, 8, s(11))
    );
    assert_eq!(
        (it.pool_idle_timeout(), it.pool_lifetime()),
        (Some(s(9)), Some(s(10)))
    );
    assert_eq!(
        (it.read_from(), it.topology_refresh()),
        (&ReadFrom::Any, Some(s(12)))
    );
    assert_eq!(it.address_map(), &map);
    assert_eq!((it.max_unread(), it.integrity()), (13, Integrity::Batch));
    assert_eq!((it.heartbeat(), it.silence_timeout()), (Some(s(14)), s(6)));
    assert!(!config.clone().identify(false).settings().identify());
    assert!(!format!("{it:?}").contains("\"p\""));
}

fn times() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1u64..10_000).prop_map(Duration::from_millis),
        (1u64..100_000).prop_map(Duration::from_secs),
        (1u64..=u64::MAX, 0u32..1_000_000_000).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn reads() -> impl Strategy<Value = ReadFrom> {
    prop_oneof![
        Just(ReadFrom::Primary),
        Just(ReadFrom::PreferReplica),
        Just(ReadFrom::Any),
        Just(ReadFrom::Nearest),
        ".{1,10}".prop_map(|zone| ReadFrom::Zone(zone.into())),
    ]
}

fn addresses() -> impl Strategy<Value = Address> {
    let ipv6 = any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string());
    let host = prop_oneof![
        "[a-zA-Z0-9._-]{1,20}",
        ipv6.clone(),
        ipv6.prop_map(|ip| ip + "%eth0.1")
    ];
    let node = (host.clone(), 1u16..).prop_map(|(host, port)| NodeAddress::new(host, port));
    prop_oneof![
        (host, 1u16..).prop_map(|(host, port)| Address::Tcp { host, port }),
        vec(node, 1..4).prop_map(Address::Cluster),
        "/[^\0]{1,20}".prop_map(|path| Address::Unix(path.into())),
    ]
}

prop_compose! {
    fn configs()(
        address in addresses(),
        username in option::of(".{1,10}"),
        password in option::of(vec(any::<u8>(), 0..12)),
        database in prop_oneof![Just(0), any::<u32>()],
        client_name in option::of("[!-~]{1,10}"),
        resp2 in any::<bool>(),
        connect in times(),
        times in [option::of(times()), option::of(times()), option::of(times()), option::of(times()), option::of(times())],
        (nodelay, kernel_decides, identify) in (any::<bool>(), any::<bool>(), prop::bool::weighted(0.9)),
        (min, max, wait) in (0usize..20, 0usize..100, prop_oneof![Just(Duration::ZERO), times()]),
        (frame, bulk, depth) in (0usize..1 << 40, 0usize..4096, 0usize..1000),
        (read_from, refresh, split) in (reads(), option::of(times()), any::<bool>()),
    ) -> Config {
        let mut config = Config::new(address)
            .database(database)
            .protocol(if resp2 { Protocol::Resp2 } else { Protocol::Resp3 })
            .connect_timeout(connect)
            .response_timeout(times[0])
            .tcp_nodelay(nodelay)
            .tcp_keepalive(times[1])
            .identify(identify)
            .pool_min(min)
            .pool_max(max)
            .pool_idle_timeout(times[3])
            .pool_lifetime(times[4])
            .pool_wait(wait)
            .limits(Limits::default().with_frame(frame).with_bulk(bulk << 18).with_depth(depth));
        if kernel_decides {
            config = config.tcp_user_timeout(times[2]);
        }
        if let Address::Cluster(_) = config.settings().address() {
            config = config.read_from(read_from).topology_refresh(refresh).split(split);
        }
        if let Some(password) = password {
            config = config.password(password);
        }
        config
            .username(username.unwrap_or_default())
            .client_name(client_name.unwrap_or_default())
    }
}

proptest! {
    #[test]
    fn c20_a_config_is_refused_or_reads_back_as_it_is_printed(config in configs()) {
        let url = config.to_url_with_secrets();
        if config.check().is_err() {
            prop_assert!(Config::from_url(&url).is_err(), "{}", url);
            return Ok(());
        }
        prop_assert_eq!(Config::from_url(&url).unwrap(), config.clone(), "{}", url);
        if config.settings().password().is_none() {
            prop_assert_eq!(Config::from_url(&config.to_string()).unwrap(), config);
        }
    }

    #[test]
    fn no_text_panics(text in ".*", rest in "[:/?#@\\[\\]%&=a0*é-]{0,30}") {
        let _ = Config::from_url(&text);
        for scheme in ["redis", "unix", "redis-cluster"] {
            let _ = Config::from_url(&format!("{scheme}://{rest}"));
        }
    }
}
