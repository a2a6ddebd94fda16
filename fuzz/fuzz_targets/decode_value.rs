//! Every frame is a value, and looking at it never panics.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| respec_fuzz::decode_value(input));
