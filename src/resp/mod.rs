//! RESP, the protocol of Redis and Valkey, versions 2 and 3: bytes in, bytes out, no IO.
//!
//! A [`Writer`] appends one command to a buffer, and an [`Output`] holds what waits to be written. A [`Scanner`] finds the end of one frame in
//! an input buffer, validates it and enforces [`Limits`], without allocating for what it reads. A
//! [`Frame`] owns the bytes of one such frame, [`Frames`] are what answers one call, and [`Reply`] is
//! a view of one value in them. Turning views into Rust types is left to [`crate::reply`].
//!
//! Two rules hold everywhere:
//!
//! - An attribute (`|`) belongs to the value that follows it and is no element of its own.
//! - A push (`>`) inside an aggregate is out of band: it is not counted by the header of that
//!   aggregate and is no element of it. Redis 7.0 sends `*2 >3 message … :1 _` as the answer to an
//!   `EXEC` whose transaction publishes to a channel that the same connection has subscribed to.
//!   [`Frame::nested_pushes`] hands such messages out.

mod encode;
mod frame;
mod frames;
mod output;
mod scan;

pub use encode::Writer;
pub use frame::{Elements, Frame, Kind, NestedPushes, Reply};
pub(crate) use frames::Run;
pub use frames::{Frames, Values};
pub use output::Output;
pub(crate) use scan::OK;
pub use scan::{Limits, ProtocolError, Scanner};
