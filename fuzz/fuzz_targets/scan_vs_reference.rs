//! What is a frame, and its value, as a tiny recursive parser has it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| respec_fuzz::scan_vs_reference(input));
