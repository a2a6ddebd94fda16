//! stub
use crate::error::*;
use bytes::BytesMut;
pub struct Writer<'b> {
    out: &'b mut BytesMut,
    words: usize,
    err: Option<Error>,
}
impl<'b> Writer<'b> {
    pub fn command(out: &mut BytesMut, f: impl FnOnce(&mut Writer<'_>)) -> Result<()> {
        let mut w = Writer {
            out,
            words: 0,
            err: None,
        };
        f(&mut w);
        w.err.map_or(Ok(()), Err)
    }
    pub fn encoded(&mut self, b: &'static [u8], n: usize) {
        self.out.extend_from_slice(b);
        self.words += n
    }
    pub fn word(&mut self, b: &[u8]) {
        self.out.extend_from_slice(b);
        self.words += 1
    }
    pub fn key(&mut self, b: &[u8]) {
        self.word(b)
    }
    pub fn integer(&mut self, b: i64) {
        self.word(b.to_string().as_bytes())
    }
    pub fn unsigned(&mut self, b: u64) {
        self.word(b.to_string().as_bytes())
    }
    pub fn double(&mut self, b: f64) {
        self.word(b.to_string().as_bytes())
    }
    pub fn fail(&mut self, e: Error) {
        self.err.get_or_insert(e);
    }
    pub fn words(&self) -> usize {
        self.words
    }
}
#[derive(Clone, Copy)]
pub struct Reply<'f>(&'f [u8]);
impl<'f> Reply<'f> {
    pub fn as_error(&self) -> Option<&'f [u8]> {
        None
    }
    pub fn is_nil(&self) -> bool {
        false
    }
}
