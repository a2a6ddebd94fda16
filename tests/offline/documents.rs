//! Figures that documents repeat, compared with the code.

use respec::{Config, Value};

#[test]
fn the_bounds_of_the_security_policy_are_those_of_the_code() {
    let policy = include_str!("../../SECURITY.md");
    let config = Config::tcp("localhost", 6379);
    let settings = config.settings();
    let limits = settings.limits();
    let seconds = |time: Option<std::time::Duration>| time.unwrap().as_secs();
    for expected in [
        format!(
            "| nesting of a reply | {} levels | `max_depth` |",
            limits.depth
        ),
        format!("| one string | {} MiB | `max_bulk` |", limits.bulk >> 20),
        format!("| one reply | {} GiB | `max_frame` |", limits.frame >> 30),
        format!(
            "| {} MiB | `max_unanswered` |",
            settings.max_unanswered() >> 20
        ),
        format!("| {} MiB | `max_unread` |", settings.max_unread() >> 20),
        format!(
            "`response_timeout`, {} seconds by default",
            seconds(settings.response_timeout())
        ),
        format!(
            "{} seconds while it owes an answer",
            settings.silence_timeout().as_secs()
        ),
        format!("becomes a `Value` of {}", size_of::<Value>()),
    ] {
        assert!(
            policy.contains(&expected),
            "expected in SECURITY.md: {expected}"
        );
    }
    assert_eq!(seconds(settings.heartbeat()), 1, "a probe every second");
}
