//! What needs no server: bytes, values and settings.

mod config_url;
mod documents;
mod reply_decode;
mod reply_requested;
mod reply_serde;
mod reply_text;
mod resp_corpus;
mod resp_encode;
mod resp_hostile;
mod resp_read;
mod resp_split;
mod support;
