//! Time series.

include!(concat!(env!("OUT_DIR"), "/commands/timeseries.rs"));
