//! Runs sample calls on real clusters, of three primaries with a replica each, by the async client.
//!
//! - *keys*: does every command with keys land on the node that has them, without a redirect? See
//!   [`keys`].
//! - *fan-out*: does every command that goes to several nodes answer what each of them says? See
//!   [`fan_out`].
//! - *tips*: are the routes that these go by those that the servers give as tips? See [`tips`].
//!
//! What was redirected is what the servers say that they redirected, and where a command has landed
//! is what they say that they have run: see [`counts`].
//!
//! What is known to be otherwise must be named with its reason in `clusters.json`; a name that
//! nothing needs is as much of a failure.

mod counts;
mod fan_out;
mod ground;
mod keys;
mod look;
mod merge;
mod seeded;
mod stage;
mod table;
mod tips;

use std::thread;

use respec_conformance::{Catalogue, Data, Deviations, Seen};
use respec_testkit::Variant;

use ground::Ground;
use table::Line;

#[test]
fn commands_reach_the_nodes_that_the_spec_says() {
    let (data, known) = (Data::load(), Deviations::of_clusters());
    let only = std::env::var("CONFORMANCE_SERVER").ok();
    let lines: Vec<Line> = thread::scope(|scope| {
        let runs: Vec<_> = Variant::ALL
            .into_iter()
            .filter(|variant| only.as_ref().is_none_or(|only| variant.name() == only))
            .map(|variant| {
                let (data, known) = (&data, &known);
                scope.spawn(move || {
                    let ground = Ground::start(variant);
                    let mut lines = vec![tips::run(&ground, known), counts::check(&ground)];
                    lines.extend(keys::run(&ground, Catalogue::all(), data, known));
                    lines.extend(fan_out::run(&ground, Catalogue::all()));
                    // Servers stop counting errors when there are too many kinds of them.
                    lines.push(counts::check(&ground));
                    lines
                })
            })
            .collect();
        runs.into_iter()
            .flat_map(|run| run.join().expect("the run ends"))
            .collect()
    });
    table::print(&lines, &known);
    let failures: usize = lines.iter().map(|line| line.failures.len()).sum();
    assert_eq!(failures, 0, "what is otherwise is not named");
    if only.is_none() {
        let mut never_asked = table::never_asked(&lines);
        never_asked.retain(|command| {
            !known.name(&Seen {
                server: "",
                version: "",
                checks: &["fan-out"],
                command,
                label: "",
                found: "no server has it",
            })
        });
        assert_eq!(never_asked, [""; 0], "no server at hand has these");
        assert_eq!(known.unused(), [""; 0], "nothing is otherwise as named");
    }
}
