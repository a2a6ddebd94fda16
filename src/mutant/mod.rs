//! Faults of the client that can be switched on, to see whether its tests notice them.
//!
//! A mutant is the client with one of them. At each place stands one line that asks for it, which is
//! gone from everything but the tests of this crate: there the environment chooses one, by its name.
//! Which test has to notice it stands in the table of `tests`. See one of them with
//! `RESPEC_MUTANT=PlaceSkipped cargo test -p respec --lib abandoned_slots`.

/// What is wrong with the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A call that was sent and is given up takes its place in the queue of replies with it.
    PlaceSkipped,
    /// A call that is given up before it was written is written nevertheless.
    GivenUpWritten,
    /// A call whose time is over takes its place in the queue of replies with it.
    LatePlaceSkipped,
    /// A call that leaves while its reply is held back for a nonce is completed when that comes, and
    /// with it the waiter that has its place by then.
    HeldKept,
    /// A request of which a part was written when its connection ended is said not to be sent.
    CutNotSent,
    /// With integrity of batches no nonce is written.
    NonceOmitted,
    /// Whatever comes in the place of a nonce is taken for it.
    NonceBelieved,
    /// A nonce that comes in the place of another reply is taken for that.
    NonceOverlooked,
    /// A push inside of an array is counted as one of its elements.
    NestedPushCounted,
    /// A peer may be silent for ever.
    SilenceAllowed,
    /// The time in which this process was stopped counts as silence of the peer.
    StopCounted,
    /// The time in which the driver did not run counts as silence of the peer.
    AbsenceCounted,
    /// Whoever has written does not look whether there is more by then.
    WakeLost,
    /// A blocking command that is given up leaves its connection to others.
    PopKept,
    /// What may have been executed is sent again although a second run does harm.
    UncertainSentAgain,
    /// There is no limit to what is sent again.
    BudgetIgnored,
    /// Once something may have been executed, a later refusal says that nothing was.
    DoubtForgotten,
    /// There is no limit to the bytes of calls that wait for a connection.
    OfflineUnbounded,
    /// There is no limit to redirects.
    RedirectedForEver,
    /// A node that is named by `ASK` is not told `ASKING`.
    AskingOmitted,
    /// The longest wait is the same for everybody, since chance has its say before the limit.
    JitterBeforeClamp,
    /// A server that refuses clients is dialled again as soon as one that cannot be reached.
    RefusalHastened,
    /// All who want a connection dial at once while a server cannot be reached.
    AllDial,
    /// Of several addresses the first one alone is tried.
    FirstAddressAlone,
    /// A turn that was granted to a waiter who does not take it is not passed on.
    TurnLost,
    /// A call of several parts tells of each of them that its time has run out.
    TimeOutToldAgain,
    /// A shared connection is not looked at before it is used after a while.
    LookOmitted,
    /// A connection of a pool is not looked at before it is used.
    PoolLookOmitted,
    /// A connection that its caller has changed goes back to the pool.
    DirtyReturned,
    /// A future that is dropped leaves its call where it is.
    DropUnnoticed,
}

/// Whether the client is this mutant.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}

/// Whether the client is this mutant, as the environment says.
#[cfg(test)]
pub(crate) fn is(mutant: Mutant) -> bool {
    use std::sync::OnceLock;

    static CHOSEN: OnceLock<Option<Mutant>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var(tests::VARIABLE).ok()?;
        let all = tests::CAUGHT.iter().map(|(mutant, _)| *mutant);
        let found = all.into_iter().find(|it| format!("{it:?}") == name);
        Some(found.expect("the name of a mutant"))
    });
    *chosen == Some(mutant)
}

#[cfg(test)]
mod drivers;

#[cfg(test)]
mod tests {
    use std::{
        env,
        process::{Command, Output},
        sync::Mutex,
        thread,
    };

    use super::Mutant::{self, *};

    /// Which test notices what.
    pub(super) const CAUGHT: [(Mutant, &str); 32] = [
        (
            PlaceSkipped,
            "protocol::outbound::tests::abandoned_slots_swallow_their_replies_or_are_never_written",
        ),
        (
            GivenUpWritten,
            "protocol::outbound::tests::abandoned_slots_swallow_their_replies_or_are_never_written",
        ),
        (
            LatePlaceSkipped,
            "protocol::outbound::tests::deadlines_expire_one_by_one_and_late_replies_are_swallowed",
        ),
        (
            PlaceSkipped,
            "cluster::simulation::all_promises_hold_in_every_weather",
        ),
        (
            LatePlaceSkipped,
            "cluster::simulation::all_promises_hold_in_every_weather",
        ),
        (
            HeldKept,
            "cluster::simulation::all_promises_hold_in_every_weather",
        ),
        (
            CutNotSent,
            "protocol::outbound::tests::a_lost_connection_tells_what_was_never_written",
        ),
        (
            NonceOmitted,
            "protocol::outbound::tests::c02_with_integrity_replies_wait_for_the_nonce_of_their_batch",
        ),
        (
            NonceBelieved,
            "protocol::liveness::tests::c02_only_its_own_nonce_answers_a_probe",
        ),
        (
            NonceOverlooked,
            "protocol::outbound::tests::c02_a_reply_that_is_missing_is_found_by_the_nonce_behind_it",
        ),
        (
            NestedPushCounted,
            "protocol::receiver::tests::pushes_inside_a_frame_come_before_it",
        ),
        (
            SilenceAllowed,
            "protocol::liveness::tests::c06_silence_is_probed_and_given_up",
        ),
        (
            StopCounted,
            "protocol::liveness::tests::c06_time_in_which_the_process_did_not_run_is_no_silence",
        ),
        (
            AbsenceCounted,
            "protocol::liveness::tests::f40_time_in_which_the_driver_did_not_come_is_no_silence",
        ),
        (
            WakeLost,
            "protocol::write_scheduler::tests::nothing_is_ever_left_unwritten_whatever_the_order_of_steps",
        ),
        (
            PopKept,
            "protocol::waiters::tests::a_blocking_call_that_fails_or_leaves_ends_the_connection",
        ),
        (
            UncertainSentAgain,
            "call::scripts::what_was_sent_is_sent_again_only_if_that_does_no_harm",
        ),
        (
            BudgetIgnored,
            "call::scripts::retries_do_not_multiply_the_load",
        ),
        (
            DoubtForgotten,
            "call::scripts::what_may_have_executed_once_may_have_executed_in_the_end",
        ),
        (
            RedirectedForEver,
            "call::scripts::five_redirects_are_enough",
        ),
        (
            AskingOmitted,
            "call::scripts::ask_leads_elsewhere_this_once",
        ),
        (
            JitterBeforeClamp,
            "back_off::tests::the_first_try_comes_at_once_and_later_ones_ever_later",
        ),
        (
            RefusalHastened,
            "link::pacing::tests::c11_a_server_that_refuses_is_left_alone_for_a_second_or_more",
        ),
        (
            AllDial,
            "link::pacing::tests::c11_the_first_retry_comes_at_once_and_later_ones_alone_and_after_a_pause",
        ),
        (
            FirstAddressAlone,
            "link::addresses::tests::f25_all_addresses_are_tried_and_the_families_take_turns",
        ),
        (
            TurnLost,
            "link::pool::tests::c22_a_turn_that_nobody_comes_for_passes_on",
        ),
        (
            OfflineUnbounded,
            "cluster::calls::tests::only_so_many_bytes_wait_for_a_connection_unless_one_call_has_more_by_itself",
        ),
        (
            TimeOutToldAgain,
            "call::scripts::the_end_of_its_time_is_told_once_for_each_phase_of_a_call",
        ),
        (
            LookOmitted,
            "mutant::drivers::the_async_client_looks_before_it_writes",
        ),
        (
            PoolLookOmitted,
            "mutant::drivers::the_blocking_client_looks_before_it_writes",
        ),
        (
            DirtyReturned,
            "mutant::drivers::a_connection_that_was_changed_does_not_come_back",
        ),
        (
            DropUnnoticed,
            "mutant::drivers::what_is_dropped_before_it_is_written_is_not_sent",
        ),
    ];

    /// Chooses a mutant, by its name.
    pub(super) const VARIABLE: &str = "RESPEC_MUTANT";

    #[test]
    fn every_mutant_is_noticed_by_its_test() {
        // A build without both clients has none of their tests.
        let all = cfg!(all(
            feature = "async",
            feature = "blocking",
            feature = "core"
        ));
        let caught = CAUGHT.into_iter();
        let caught: Vec<_> = caught
            .filter(|(_, test)| all || !test.starts_with("mutant::drivers"))
            .collect();
        let healthy = run(None, caught.iter().map(|(_, test)| *test));
        assert!(healthy.status.success(), "{}", text(&healthy));
        let mut passed: Vec<_> = caught.iter().map(|(_, test)| test).collect();
        passed.sort_unstable();
        passed.dedup();
        let passed = format!("{} passed", passed.len());
        assert!(text(&healthy).contains(&passed), "{}", text(&healthy));

        let left = Mutex::new(caught.iter());
        let next = || left.lock().map_or(None, |mut left| left.next());
        let notice = || {
            while let Some((mutant, test)) = next() {
                let sick = run(Some(*mutant), [*test]);
                let failed = text(&sick).contains(&format!("test {test} ... FAILED"));
                assert!(failed, "{test} does not notice {mutant:?}: {}", text(&sick));
                println!("{mutant:?} is noticed by {test}");
            }
        };
        thread::scope(|scope| {
            scope.spawn(notice);
            scope.spawn(notice);
        });
    }

    /// Runs these tests in another process.
    fn run<'t>(mutant: Option<Mutant>, tests: impl IntoIterator<Item = &'t str>) -> Output {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .arg("--exact")
            .args(tests)
            .env("RUST_BACKTRACE", "0")
            // As many as it takes to notice all of those that the simulation has to.
            .env("RESPEC_SEEDS", "1000");
        match mutant {
            Some(mutant) => command.env(VARIABLE, format!("{mutant:?}")),
            None => command.env_remove(VARIABLE),
        };
        command.output().unwrap()
    }

    fn text(output: &Output) -> String {
        let (told, failed) = (&output.stdout, &output.stderr);
        String::from_utf8_lossy(told).into_owned() + &String::from_utf8_lossy(failed)
    }
}
