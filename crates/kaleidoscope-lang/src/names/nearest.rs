//! Which known name was probably meant.
//!
//! A hint is given only when it is nearly certain: the name is one slip of the fingers away. That test needs no table
//! of distances, which keeps a program of many thousand forward references quick to read.

use super::{Names, State};

/// So many of the names last defined are looked at, besides those known from the start.
const N_LOOKED_AT: usize = 1000;

impl Names {
    /// The function whose name is one slip away, the youngest where there are several.
    pub(crate) fn nearest_function(&self, name: &str) -> Option<&str> {
        let from_the_start = self.functions.iter().take(64);
        let youngest_first = self.functions.iter().rev().take(N_LOOKED_AT);
        youngest_first
            .chain(from_the_start)
            .filter(|entry| !matches!(entry.state, State::Undefined | State::Replaced))
            .map(|entry| &*entry.signature.name)
            .filter(|known| known.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            .find(|known| is_one_slip(name, known))
    }
}

/// Whether `a` becomes `b` by one slip: a character more, less, exchanged, two neighbours swapped, or other capitals.
pub(crate) fn is_one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a == b || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    let same_start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same_start..], &b[same_start..]);
    let same_end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - same_end], &b[..b.len() - same_end]);
    // A name of one or two characters is one slip from too many others.
    let is_long = same_start + same_end >= 2;
    match (a, b) {
        ([], [_]) | ([_], []) | ([_], [_]) => is_long,
        ([first, second], [x, y]) => (first, second) == (y, x),
        _ => false,
    }
}
