//! Slots as real servers compute them.

use std::net::{Ipv4Addr, TcpListener};

use respec::{blocking::Client, cluster::key_slot, cmd};
use respec_testkit::{Server, Variant};

/// Keys with and without tags, of all bytes and lengths.
fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    for text in [
        "",
        "{",
        "}",
        "{}",
        "}{",
        "{a",
        "a}",
        "{a}",
        "{{a}}",
        "{}{a}",
        "a{b}c{d}e",
        "a}{b}",
        "{a}b}",
    ] {
        keys.push(text.as_bytes().to_vec());
        keys.push([text, "{x}"].concat().into_bytes());
    }
    let mut random: u32 = 1;
    for length in 0..200 {
        let mut byte = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Braces are rare among all bytes.
            match random >> 24 {
                high if high % 8 == 0 => b'{',
                high if high % 8 == 1 => b'}',
                high => high as u8,
            }
        };
        keys.push((0..length).map(|_| byte()).collect());
    }
    keys
}

#[test]
fn servers_agree_about_the_slot_of_every_key() {
    for variant in Variant::ALL {
        let bus = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let bus_port = bus.local_addr().unwrap().port();
        drop(bus);
        let server = Server::builder(variant)
            .modules(false)
            .config("cluster-enabled", "yes")
            // The default is the port and 10,000, which may be none.
            .config("cluster-port", bus_port.to_string())
            .start()
            .unwrap();
        let client = Client::connect(&server.url()).unwrap();
        let keys = keys();
        let asked = keys.iter().map(cmd::cluster_keyslot);
        let slots = client.pipeline(asked).send().unwrap();
        for (key, slot) in keys.iter().zip(slots) {
            assert_eq!(u64::from(key_slot(key)), slot, "{variant} {key:?}");
        }
    }
}
