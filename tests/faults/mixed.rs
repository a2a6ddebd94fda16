//! All that happens to connections, as chance has it, under load.

use std::time::Duration;

use respec::Protocol;
use respec_testkit::{Action, At, Proxy, Rule, Variant, Way, shared};

use crate::{
    beside, count,
    run::{Load, Numbers, PATIENCE, Run, busy, until},
    side::Side,
};

/// The long mode has 8,000,000 operations and 5,000 faults for each server and client.
#[test]
fn f00_whatever_happens_to_connections_under_load() {
    beside(Variant::ALL, |variant| {
        Side::all().iter().for_each(|side| anything(variant, side));
    });
}

fn anything(variant: Variant, side: &Side) {
    let server = shared(variant);
    let run = Run::new("mixed", server, side, Protocol::Resp3, LIMIT);
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = run.config(&proxy, Protocol::Resp3).pool_max(4);
    let config = config.heartbeat(SILENCE / 4).silence_timeout(SILENCE);
    let caller = side.client(config);
    let (operations, faults) = (count(6_000, 8_000_000), count(20, 5_000));
    let mut numbers = Numbers::new(variant as u64);
    while run.operations() < operations || run.faults() < faults {
        let load = Load::start(&run, side, &caller, 8);
        let end = run.operations() + AT_ONCE.min(operations);
        while run.operations() < end {
            strike(&run, &proxy, &mut numbers);
            let next = run.operations() + operations / faults;
            until("callers go on", || run.operations() >= next);
        }
        load.finish();
        // What is kept of so many operations would not fit.
        run.settle(&[&proxy]);
    }
    run.finish(&[&proxy], server);
}

/// Does something to a connection with requests in flight.
fn strike(run: &Run, proxy: &Proxy, numbers: &mut Numbers) {
    let link = busy(proxy);
    let faults = proxy.traffic().faults().len();
    let bytes = numbers.below(500) as u64;
    let rule = match numbers.below(7) {
        0 => Rule::new(At::now(Way::Requests).plus(bytes), Action::Reset),
        1 => Rule::new(At::now(Way::Replies).plus(bytes), Action::Reset),
        2 => Rule::new(At::now(Way::Replies).plus(bytes), Action::Close),
        3 => Rule::new(At::now(Way::Replies).plus(bytes), Action::HalfClose),
        4 => Rule::new(At::now(Way::Replies).plus(bytes), Action::Hold(LATE)),
        5 => Rule::new(At::reply(bytes % 20), Action::Inject(PUSH.to_vec())),
        _ => {
            link.act(Way::Replies, Action::BlackHole);
            run.fault(link.in_flight());
            let done = run.tally().ok;
            until("callers are served again", || run.tally().ok > done + 20);
            // It is not told of the end that the client has made.
            return link.act(Way::Replies, Action::Reset);
        }
    };
    link.arm(rule);
    // A connection may also end before it comes to that.
    let struck = proxy.wait(PATIENCE, |traffic| {
        let fault = traffic.faults().get(faults).map(|fault| fault.in_flight);
        fault.or_else(|| traffic.ended(link.number()).map(|_| 0))
    });
    run.fault(struck.unwrap());
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(4);
/// How long a peer may be silent.
const SILENCE: Duration = Duration::from_millis(400);
/// Later than others, and in time.
const LATE: Duration = Duration::from_millis(20);
/// How many operations are judged at once.
const AT_ONCE: u64 = 50_000;
/// A push of a kind that no client knows.
const PUSH: &[u8] = b">2\r\n+some\r\n+thing\r\n";
