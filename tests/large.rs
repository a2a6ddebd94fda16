//! Very long pipelines and very large replies, with the memory that they take.
//!
//! One test, since it reads how much memory the whole process has used.

#[path = "support/words.rs"]
mod words;

use std::fs;

use bytes::Bytes;
use respec::{Client, Config, blocking, cmd, prelude::*};
use respec_testkit::{Server, Variant};
use tokio::runtime::Builder;

const MIB: usize = 1 << 20;

/// How much memory the process has used at most since the last reset, in MiB, where that is told.
fn peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// What `work` takes at most in addition to what was in use, in MiB; 0 where that is not told.
fn memory(work: impl FnOnce()) -> usize {
    if fs::write("/proc/self/clear_refs", "5").is_err() {
        work();
        return 0;
    }
    let before = peak().unwrap_or(0);
    work();
    peak().unwrap_or(0).saturating_sub(before)
}

fn check(what: &str, used: usize, allowed: usize) {
    println!("{what}: {used} MiB of {allowed} allowed");
    assert!(used <= allowed, "{what} took {used} MiB");
}

#[test]
fn neither_long_pipelines_nor_large_replies_double_the_memory() {
    let server = Server::start(Variant::Redis70).unwrap();
    let config = Config::from_url(&server.url()).unwrap();
    let blocking = blocking::Client::from_config(config.clone().response_timeout(None));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let shared = Client::from_config(config.response_timeout(None));

    // A million commands, of which only a few chunks are on their way at any time. What is kept are
    // the commands, 1 frame of 56 bytes for each reply, and the results.
    let million = 1_000_000;
    let commands = || (0..million).map(|_| cmd::incr("counter"));
    let used = memory(|| {
        let replies: Vec<i64> = blocking.pipeline(commands()).send().unwrap();
        assert!(replies.into_iter().eq(1..=million));
    });
    check("a million commands, blocking", used, 300);
    let used = memory(|| {
        let replies: Vec<i64> = runtime
            .block_on(async { shared.pipeline(commands()).await })
            .unwrap();
        assert!(replies.into_iter().eq(million + 1..=2 * million));
    });
    check("a million commands, async", used, 300);

    // The longest string that a server stores by default.
    let length = 512 * MIB;
    blocking
        .setrange("large", length as u64 - 1, "!")
        .send()
        .unwrap();
    let is_right = |value: &Bytes| {
        assert_eq!(value.len(), length);
        assert_eq!(value.last(), Some(&b'!'));
    };
    let used = memory(|| is_right(&blocking.get("large").send().unwrap().unwrap()));
    check("512 MiB, blocking", used, 512 + 32);
    let used = memory(|| {
        let value = runtime.block_on(async { shared.get("large").await });
        is_right(&value.unwrap().unwrap());
    });
    check("512 MiB, async", used, 512 + 32);
    blocking.del("large").send().unwrap();

    // A million elements: the bytes of the reply, a quarter more, and 32 bytes for each element.
    let element = vec![b'e'; 100];
    for _ in 0..100 {
        let chunk = vec![element.clone(); 10_000];
        blocking.rpush("list", chunk).send().unwrap();
    }
    let bytes = million as usize * (100 + 8);
    let allowed = (bytes + bytes / 4 + million as usize * 32) / MIB + 32;
    let is_right = |list: &[Bytes]| {
        assert_eq!(list.len(), million as usize);
        assert!(list.iter().all(|value| *value == element));
    };
    let used = memory(|| is_right(&blocking.lrange("list", 0, -1).send().unwrap()));
    check("a million elements, blocking", used, allowed);
    let used = memory(|| {
        let list = runtime.block_on(async { shared.lrange("list", 0, -1).await });
        is_right(&list.unwrap());
    });
    check("a million elements, async", used, allowed);
    // What the connections keep when all that is gone.
    let used = memory(|| {
        blocking.incr("counter").send().unwrap();
        runtime
            .block_on(async { shared.incr("counter").await })
            .unwrap();
    });
    check("two small replies", used, 8);
}
