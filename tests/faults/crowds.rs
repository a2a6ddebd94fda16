//! F32, F41: more callers or bytes than there is room for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use respec::{ErrorKind, Phase, Protocol, Value, cmd};
use respec_testkit::{Action, Proxy, Variant, Way, shared};

use crate::{
    beside,
    caller::{Caller, polled},
    count,
    run::{Numbers, PATIENCE, Run},
    shape::Shape,
    side::Side,
    span,
};

/// 50,000 times over all runs; a million times in the long mode.
#[test]
fn f32_a_crowd_that_shares_a_pool_finds_every_connection_clean() {
    let both = [Protocol::Resp2, Protocol::Resp3];
    let all = both
        .into_iter()
        .flat_map(|protocol| Variant::ALL.map(|variant| (protocol, variant)));
    // One of them keeps the machine at work.
    for (protocol, variant) in all {
        let server = shared(variant);
        for side in Side::all() {
            let limit = Duration::from_secs(20);
            let run = Run::new("F32", server, &side, protocol, limit);
            let proxy = Arc::new(Proxy::start(server.addr()).unwrap());
            let caller = side.client(run.config(&proxy, protocol).pool_max(POOL));
            let crowd = (0..8 * POOL as u32).map(|writer| {
                let (run, caller) = (Arc::clone(&run), caller.clone());
                let proxy = Arc::clone(&proxy);
                side.spawn(async move {
                    let mut numbers = Numbers::new(u64::from(writer));
                    for _ in 0..count(130, 2_600) {
                        borrow(&run, &caller, &proxy, &mut numbers, writer).await;
                    }
                })
            });
            let crowd: Vec<_> = crowd.collect();
            crowd.into_iter().for_each(|member| member());
            // Nobody has taken a place away with him.
            let own: Vec<_> = (0..POOL)
                .map(|_| side.wait(caller.dedicated()).unwrap())
                .collect();
            let stats = caller.pool_stats();
            assert_eq!(
                (stats.in_use, stats.waiting, stats.connecting),
                (POOL, 0, 0),
                "{stats:?}"
            );
            drop(own);
            let row = run.finish(&[&proxy], server);
            assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
        }
    }
}

#[test]
fn f32_one_who_finds_no_place_in_time_is_told_so() {
    for variant in Variant::ALL {
        let server = shared(variant);
        for side in Side::all() {
            let limit = Duration::from_millis(100);
            let run = Run::new("F32", server, &side, Protocol::Resp3, limit);
            let proxy = Proxy::start(server.addr()).unwrap();
            let config = run.config(&proxy, Protocol::Resp3).pool_max(1);
            let caller = side.client(config.connect_timeout(PATIENCE));
            let own = side.wait(caller.dedicated()).unwrap();
            for _ in 0..5 {
                let error = side.wait(caller.dedicated()).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Queue), "{error}");
                // There is no request that it could strike.
                run.fault(0);
            }
            drop(own);
            drop(side.wait(caller.dedicated()).unwrap());
            run.finish(&[&proxy], server);
        }
    }
}

/// Takes a connection of the pool, looks whether it is clean, and may leave it in another state; or
/// leaves before it has got one, or with a request under way.
async fn borrow(run: &Run, caller: &Caller, proxy: &Proxy, numbers: &mut Numbers, writer: u32) {
    let leaves = matches!(caller, Caller::Async(_)) && numbers.below(8) == 0;
    let own = if leaves {
        let taken = polled(caller.dedicated(), numbers).await;
        let Some(own) = taken else {
            return run.fault(proxy.in_flight());
        };
        own
    } else {
        caller.dedicated().await
    };
    let own = own.unwrap();
    let info = own.call(cmd::raw("CLIENT").arg("INFO")).await.unwrap();
    let info = format!("{info:?}");
    for clean in [" db=0 ", " sub=0 ", " psub=0 ", " multi=-1 ", " name= "] {
        assert!(info.contains(clean), "expected{clean}in {info}");
    }
    let op = run.begin(Shape::Echo, writer);
    if leaves {
        match polled(own.call(run.command(&op)), numbers).await {
            Some(result) => run.end(op, &result),
            None => return run.cancelled(op),
        }
    } else {
        let result = own.call(run.command(&op)).await;
        run.end(op, &result);
    }
    let change = match numbers.below(8) {
        0 => cmd::raw("MULTI"),
        1 => cmd::raw("SELECT").arg(1),
        2 => cmd::raw("WATCH").key("f32:watched"),
        3 => cmd::raw("CLIENT").arg("SETNAME").arg("somebody"),
        _ => return,
    };
    // A server answers each of them, unless it is not for this place.
    run.fault(proxy.in_flight());
    let _ = own.call(change).await;
}

/// A minute over all runs; the long mode has 18.
#[test]
fn f41_values_larger_than_all_buffers_pass_both_ways_at_once() {
    let value = Bytes::from(vec![b'v'; 10 << 20]);
    let all = Variant::ALL
        .into_iter()
        .flat_map(|variant| Side::all().map(|side| (variant, side)));
    beside(all, |(variant, side)| {
        let server = shared(variant);
        let limit = Duration::from_secs(60);
        let run = Run::new("F41", server, &side, Protocol::Resp3, limit);
        // Reads nothing while what it has to write is not read, as some servers do.
        let proxy = Proxy::builder(server.addr())
            .buffers(4 << 10)
            .start()
            .unwrap();
        let caller = side.client(run.config(&proxy, Protocol::Resp3).pool_max(1));
        side.wait(run.call(&caller, Shape::Echo, 0)).unwrap();
        proxy.act(Way::Replies, Action::Lockstep);
        let key = format!("f41:{}", side.name());
        let begun = Instant::now();
        let time = span(Duration::from_secs(10), Duration::from_secs(3 * 60));
        while begun.elapsed() < time {
            let commands = (0..4).flat_map(|_| {
                let set = cmd::raw("SET").key(key.clone()).arg(value.clone());
                [set, cmd::raw("GET").key(key.clone())]
            });
            let pairs = || side.wait(caller.pipeline(commands.collect()));
            let results = run.struck(&proxy, pairs).unwrap();
            for pair in results.chunks(2) {
                let got = pair[1].as_ref().unwrap();
                let Value::BulkString(got) = got else {
                    panic!("expected the value")
                };
                assert!(got == &value);
            }
            side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
        }
        server.command(&[b"DEL", key.as_bytes()]).unwrap();
        let row = run.finish(&[&proxy], server);
        assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
    });
}

const POOL: usize = 4;
