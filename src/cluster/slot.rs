//! The slot of a key: CRC16 of its hash tag.

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// The slot of a key.
///
/// Keys with the same text between the first `{` and the next `}` are in the same slot, so that one
/// command or transaction can name them together; an empty pair of braces does not count.
///
/// ```
/// use respec::cluster::key_slot;
///
/// assert_eq!(key_slot(b"{user:1}:name"), key_slot(b"{user:1}:mail"));
/// ```
#[must_use]
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

/// The part of a key that decides its slot.
fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = || {
        let open = key.iter().position(|&byte| byte == b'{')?;
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|&byte| byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    };
    tag().unwrap_or(key)
}

/// CRC16 with the polynomial 0x1021 and nothing else, which is known as XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from(low) << 8 ^ step(high ^ byte)
    })
}

#[expect(clippy::indexing_slicing, reason = "a byte is an index of 256 entries")]
fn step(byte: u8) -> u16 {
    TABLE[usize::from(byte)]
}

static TABLE: [u16; 256] = table();

#[expect(
    clippy::indexing_slicing,
    reason = "the loop ends where the table does; a constant function has no iterators"
)]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    let mut start: u16 = 0;
    while byte < table.len() {
        let mut crc = start << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
        start += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn known_keys_have_their_slots() {
        for (key, slot) in [
            ("foo", 12_182),
            ("bar", 5061),
            ("", 0),
            ("foo{hash_tag}", 2515),
            ("123456789", 12_739),
        ] {
            assert_eq!(key_slot(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn only_the_first_tag_counts_and_only_if_it_is_not_empty() {
        for (key, tag) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo}{bar}", "bar"),
            ("foo{bar", "foo{bar"),
            ("}{", "}{"),
            ("", ""),
        ] {
            assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }
}
