//! Nearest name: the known name that a text probably meant.
//!
//! A hint appears only if it is nearly certain: the name is one or two typing mistakes away.
//! Looking for so few mistakes needs no table of distances, so a program with thousands of forward
//! references reads quickly.

use super::{NameState, Names};

/// The number of most recent functions that are compared.
const N_LOOKED_AT: usize = 256;
/// The number of oldest functions that are compared: the maths functions and host functions.
const N_FROM_THE_START: usize = 64;

impl Names {
    /// The name of a function or of an array that is nearest; the youngest function wins a tie.
    pub(crate) fn nearest_function(&self, name: &str) -> Option<&str> {
        let youngest_first = self.functions.iter().rev().take(N_LOOKED_AT);
        let candidates = youngest_first
            .chain(self.functions.iter().take(N_FROM_THE_START))
            .filter(|entry| !matches!(entry.state, NameState::Undefined | NameState::Replaced))
            .map(|entry| &*entry.signature.name)
            .filter(|known| known.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        nearest(name, candidates.chain(self.arrays().take(N_LOOKED_AT)))
    }
}

/// The nearest candidate; of equally near ones the beginning of the name, then the first. `None` if
/// no candidate is near.
pub fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = candidates.filter_map(|known| Some((n_slips(name, known)?, known)));
    // Of `sin` and `sinh`, `sine` rather means the one whose end is missing.
    let is_other = |known: &str| !(name.starts_with(known) || known.starts_with(name));
    near.min_by_key(|&(n_slips, known)| (n_slips, is_other(known))).map(|(_, known)| known)
}

/// The number of typing mistakes that turn `known` into `written`, or `None` if they are more than
/// a name of that length may have. A mistake is a missing, extra or wrong character, two neighbors
/// swapped, or wrong capitals.
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
    // `f1` and `f2` are probably two functions.
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
