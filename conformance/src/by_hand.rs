//! Sample calls of the commands that are written by hand.

use crate::Catalogue;

pub(crate) fn fill(to: &mut Catalogue) {
    let _ = to;
}
