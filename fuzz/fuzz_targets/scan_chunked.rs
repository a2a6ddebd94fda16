//! A frame is the same in whatever pieces it arrives.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| respec_fuzz::scan_chunked(input));
