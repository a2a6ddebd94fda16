//! Both clients on real servers behind a proxy that does harm, row by row.
//!
//! Each test is a row of the fault matrix: what goes wrong, and what has to come of it. In all of them
//! every operation carries a tag, and oracles that know nothing of the client judge: each reply was
//! the call's own, each call has ended in time, nothing was done twice, and of what was told to be
//! not sent the proxy has not received one byte. A fault counts if a request was in flight.
//!
//! `cargo test --test faults -- --nocapture` prints the table. With `FAULTS_LONG=1` much more goes
//! wrong, which takes much longer; with `FAULTS_LONG=0.1` a tenth of that.

#![cfg(all(feature = "async", feature = "blocking", feature = "core"))]

mod caller;
mod cancel;
mod crowds;
mod dead;
mod dials;
mod ends;
mod mixed;
mod names;
mod refusals;
mod report;
mod restart;
mod roles;
mod run;
#[path = "../support/shape.rs"]
mod shape;
#[path = "../support/side.rs"]
mod side;
mod silence;

use std::{env, thread, time::Duration};

/// How often something is done: in every run of the tests at least, and in the long mode.
pub(crate) fn count(short: u64, long: u64) -> u64 {
    short.max((long as f64 * scale()) as u64)
}

/// How long something goes on: in every run of the tests at least, and in the long mode.
pub(crate) fn span(short: Duration, long: Duration) -> Duration {
    short.max(long.mul_f64(scale()))
}

/// Does the same with all of these at once, for rows that mostly wait.
pub(crate) fn beside<T: Send>(all: impl IntoIterator<Item = T>, each: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for one in all {
            scope.spawn(|| each(one));
        }
    });
}

/// Whether all of the long mode is to go wrong.
pub(crate) fn is_long() -> bool {
    scale() >= 1.0
}

/// What part of the long mode is to go wrong.
fn scale() -> f64 {
    let scale = env::var("FAULTS_LONG").map_or(Ok(0.0), |scale| scale.parse());
    scale.expect("FAULTS_LONG is a number, such as 1 or 0.1")
}
