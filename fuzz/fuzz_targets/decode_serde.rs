//! No frame makes a type panic, and numbers agree with each other.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| respec_fuzz::decode_serde(input));
