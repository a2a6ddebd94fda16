//! Which slot a key is in, computed apart from the client under test.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The number of slots of every cluster.
pub const SLOTS: u16 = 16384;

/// The slot of a key: that of its hash tag, if it has one.
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

/// A key in this slot. It is a hash tag, so that every key that begins with it is there as well:
/// `format!("{}:1", key_in_slot(7))`.
///
/// # Panics
///
/// When there is no such slot.
pub fn key_in_slot(slot: u16) -> String {
    static FOUND: Mutex<Option<HashMap<u16, String>>> = Mutex::new(None);

    assert!(slot < SLOTS, "there is no slot {slot}");
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    // Some 170,000 numbers reach them all.
    let found = found.get_or_insert_with(|| {
        let mut keys = HashMap::new();
        for number in 0_u32.. {
            let key = format!("{{{number}}}");
            keys.entry(slot_of(key.as_bytes())).or_insert(key);
            if keys.len() == usize::from(SLOTS) {
                break;
            }
        }
        keys
    });
    found[&slot].clone()
}

/// What is between the first brace and the next closing one, unless that is nothing.
fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = || {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        Some(&rest[..close]).filter(|tag| !tag.is_empty())
    };
    tag().unwrap_or(key)
}

/// CRC-16/XMODEM, bit by bit.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            let carry = crc & 0x8000 != 0;
            crc << 1 ^ if carry { 0x1021 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, crc16, key_in_slot, slot_of};

    #[test]
    fn the_checksum_is_the_one_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn a_hash_tag_decides_alone() {
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
        assert_eq!(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"));
        assert_eq!(slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
    }

    #[test]
    fn there_is_a_key_for_every_slot() {
        for slot in 0..SLOTS {
            assert_eq!(slot_of(format!("{}:x", key_in_slot(slot)).as_bytes()), slot);
        }
    }
}
