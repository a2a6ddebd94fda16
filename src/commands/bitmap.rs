//! Bitmaps: strings as arrays of bits.

include!(concat!(env!("OUT_DIR"), "/commands/bitmap.rs"));
