//! Which known name was probably meant.
//!
//! A hint is given only when it is nearly certain: the name is one or two slips of the fingers away. To look for so few
//! needs no table of distances, which keeps a program with thousands of forward references quick to read.

use super::{NameState, Names};

/// So many of the names last defined are looked at, besides those known from the start.
const N_LOOKED_AT: usize = 256;
/// The names known from the start: the maths functions and those of the host.
const N_FROM_THE_START: usize = 64;

impl Names {
    /// The function with the nearest name, the youngest where several are as near.
    pub(crate) fn nearest_function(&self, name: &str) -> Option<&str> {
        let youngest_first = self.functions.iter().rev().take(N_LOOKED_AT);
        let candidates = youngest_first
            .chain(self.functions.iter().take(N_FROM_THE_START))
            .filter(|entry| !matches!(entry.state, NameState::Undefined | NameState::Replaced))
            .map(|entry| &*entry.signature.name)
            .filter(|known| known.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        nearest(name, candidates)
    }
}

/// The nearest of the candidates, the first where several are as near; none when none is near.
pub(crate) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = candidates.filter_map(|known| Some((n_slips(name, known)?, known)));
    near.min_by_key(|&(n_slips, _)| n_slips).map(|(_, known)| known)
}

/// How many slips make `written` of `known`, when they are as few as may happen in a name of that length. A slip is a
/// character more, less or exchanged, two neighbours swapped, or other capitals.
pub(super) fn n_slips(written: &str, known: &str) -> Option<u32> {
    let limit = match written.len().min(known.len()) {
        0 | 1 => return None,
        2..=5 => 1,
        _ => 2,
    };
    if written.len().abs_diff(known.len()) > limit as usize || written == known {
        return None;
    }
    if written.eq_ignore_ascii_case(known) {
        return Some(1);
    }
    let (written, known) = (written.as_bytes(), known.as_bytes());
    // `f1` and `f2` are two functions and no slip.
    if differ_in_final_digits_only(written, known) {
        return None;
    }
    (1..=limit).find(|&n_slips| is_within(written, known, n_slips))
}

fn is_within(a: &[u8], b: &[u8], n_slips: u32) -> bool {
    let n_same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    match (&a[n_same..], &b[n_same..]) {
        ([], []) => true,
        _ if n_slips == 0 => false,
        ([], rest) | (rest, []) => rest.len() <= n_slips as usize,
        (a @ [first_a, rest_a @ ..], b @ [first_b, rest_b @ ..]) => {
            let is_swapped = rest_a.first() == Some(first_b) && rest_b.first() == Some(first_a);
            is_within(rest_a, rest_b, n_slips - 1)
                || is_within(rest_a, b, n_slips - 1)
                || is_within(a, rest_b, n_slips - 1)
                || (is_swapped && is_within(&rest_a[1..], &rest_b[1..], n_slips - 1))
        }
    }
}

fn differ_in_final_digits_only(a: &[u8], b: &[u8]) -> bool {
    let (digits_a, digits_b) = (n_final_digits(a), n_final_digits(b));
    digits_a > 0 && digits_b > 0 && a[..a.len() - digits_a] == b[..b.len() - digits_b]
}

fn n_final_digits(name: &[u8]) -> usize {
    name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count()
}
