//! Runs sample calls of every command on real servers and compares what happens with the spec.
//!
//! Of each sample, under RESP2 and RESP3, the run asks:
//!
//! - *accepted*: does the server understand it?
//! - *keys*: are our keys those of `COMMAND GETKEYS`?
//! - *key specs*: and those that the key specs find?
//! - *flags*: are our flags those of `COMMAND INFO`?
//! - *replies*: does the reply have the declared type?
//! - *whole*: is all that is in the frame in the value?
//! - *kept*: is what a newer server might send at the end of an array refused or shown?
//! - *equal*: is its value the same under both versions of the protocol?
//! - *fields*: have the structs of the reply a field for all that is in it?
//! - *cached*: does a write to a key say that what was answered about it is no longer true?
//! - *count*: do as many frames answer as the spec says?
//!
//! Without a server, and so of the commands that none has, it asks:
//!
//! - *grammar*: are the words a sentence of the grammar, as somebody else reads it?
//! - *key specs*: are our keys those that the key specs find?
//!
//! And of each command, by all its samples together:
//!
//! - *words*: is each word that is published for it in one of them?
//! - *needed*: is each statement of the grammar, such as that something may be repeated, needed by one?
//! - *repeats*: may as much be repeated as the published syntax line says?
//!
//! See the README of this crate for what the files beside it hold.
//!
//! What deviates must be named with its reason in `deviations.json`; a name under which nothing
//! deviates is as much of a failure. `values.json` says what the arguments of samples are, and
//! `data.json` what a server holds before each of them.

mod cached;
mod canonical;
mod catalogue;
mod grammar;
mod lengthened;
mod paper;
mod report;
mod run;
mod seeded;
mod servers;
mod whole;

use std::{collections::BTreeSet, thread};

use respec::command::Info;
use respec_conformance::{Catalogue, Data, Deviations, LONG, SEED};
use respec_testkit::Variant;

use report::Report;
use run::Run;
use servers::Ground;

#[test]
fn every_command_is_as_the_spec_says() {
    let data = Data::load();
    let grounds = Ground::at_hand();
    let mut deviations = Deviations::of_servers();
    if grounds.contains(&Ground::Data(Variant::Other)) {
        deviations = deviations.with_other();
    }
    let only = std::env::var("CONFORMANCE_SERVER").ok();
    let reports: Vec<Report> = thread::scope(|scope| {
        let runs: Vec<_> = grounds
            .into_iter()
            .filter(|ground| only.as_ref().is_none_or(|only| ground.to_string() == *only))
            .map(|ground| {
                let (data, deviations) = (&data, &deviations);
                scope.spawn(move || {
                    let mut run = Run::start(ground, data, deviations);
                    run.mistakable();
                    run.samples(Catalogue::all());
                    run.invalidations(Catalogue::all());
                    run.hostile_texts();
                    run.report
                })
            })
            .collect();
        runs.into_iter()
            .map(|run| run.join().expect("the run ends"))
            .collect()
    });
    let paper = paper::run(Catalogue::all(), &deviations);
    let published = paper::published(Catalogue::all(), &deviations);
    let mut failures = 0;
    for report in [&paper, &published].into_iter().chain(&reports) {
        for (protocol, finding) in &report.failures {
            failures += 1;
            println!(
                "{} RESP{protocol} {} {} ({})\n    {}\n    {}",
                report.server,
                finding.check.name(),
                finding.command,
                finding.label,
                finding.request.escape_debug().take(300).collect::<String>(),
                finding.found.escape_debug().take(600).collect::<String>()
            );
        }
    }
    if std::env::var_os("CONFORMANCE_ERRORS").is_some() {
        for report in &reports {
            for (error, request) in &report.errors {
                println!("{} understood: {error}: {request}", report.server);
            }
        }
    }
    let length = if LONG { "long" } else { "short" };
    println!("the {length} run; what is drawn by lot follows from the seed {SEED}");
    print!("{}{}{}", Report::header(), paper.table(), published.table());
    for report in &reports {
        print!("{}", report.table());
    }
    println!("what deviates and is named:");
    for line in deviations.used() {
        println!("    {line}");
    }
    let mut present = BTreeSet::new();
    let mut succeeded = BTreeSet::new();
    for report in &reports {
        println!(
            "{}: {} of {} commands succeeded at least once; never: {}",
            report.server,
            report.succeeded.len(),
            report.present.len(),
            names(report.present.difference(&report.succeeded))
        );
        for (command, reason) in &report.left_out {
            println!("    {command} was left out, for it {reason}");
        }
        present.extend(report.present.iter().copied());
        succeeded.extend(report.succeeded.iter().copied());
    }
    let unverified: Vec<_> = Info::all()
        .iter()
        .map(|info| info.name)
        .filter(|name| !present.contains(name))
        .collect();
    println!(
        "on any server {} of {} commands succeeded; {} that no server has are unverified: {}",
        succeeded.len(),
        Info::all().len(),
        unverified.len(),
        names(unverified.iter())
    );
    assert_eq!(failures, 0, "what deviates is not named");
    if only.is_none() && std::env::var_os("CONFORMANCE_ONLY").is_none() {
        let unused = deviations.unused();
        assert!(
            unused.is_empty(),
            "nothing deviates as named:\n{}",
            unused.join("\n")
        );
    }
}

fn names<'n>(names: impl Iterator<Item = &'n &'static str>) -> String {
    names.copied().collect::<Vec<_>>().join(", ")
}
