//! Where the jumps and calls go, and that the stack is even at the call.

use super::{NOPS, Reentry, count_entries};
use crate::Heat;

const HEAT: Heat = Heat { cells: 0x7fff_1111_1110, hot: 0x7fff_2222_2220, thunk: None, body: 7 };

/// Where the jump or call goes whose distance is here.
fn target(bytes: &[u8], at: usize) -> i32 {
    at as i32 + 4 + i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn the_code_lies_at_its_alignment_between_what_counts_and_what_reports() {
    let code = [0xc3; 5];
    for (n_params, align) in [(0, 1), (1, 16), (3, 32), (8, 64), (20, 16)] {
        let bytes = count_entries(&code, align, n_params, &HEAT, &Reentry::default());
        let body = bytes.windows(5).position(|five| five == code).unwrap();
        assert_eq!(body % align, 0, "{n_params} parameters");
        let jump = bytes.windows(2).position(|pair| pair == [0x0f, 0x8e]).unwrap();
        assert_eq!(target(&bytes, jump + 2) as usize, body + code.len(), "{n_params} parameters");
        assert_eq!(target(&bytes, bytes.len() - 4) as usize, body, "{n_params} parameters");
    }
}

#[test]
fn what_is_run_between_counting_and_code_does_nothing() {
    for align in [1, 2, 4, 8, 16, 32, 64, 128] {
        let bytes = count_entries(&[0xc3], align, 0, &HEAT, &Reentry::default());
        let jump = bytes.windows(2).position(|pair| pair == [0x0f, 0x8e]).unwrap();
        let mut filler = &bytes[jump + 6..bytes.iter().position(|&byte| byte == 0xc3).unwrap()];
        while !filler.is_empty() {
            let is_next = |nop: &&&[u8]| filler.starts_with(nop);
            filler = &filler[NOPS.iter().rev().find(is_next).expect("an instruction").len()..];
        }
    }
}

#[test]
fn as_many_words_are_taken_as_make_the_stack_even() {
    for (n_params, n_bytes) in [(0, 8), (1, 8), (2, 24), (7, 56), (8, 72), (20, 72)] {
        let bytes = count_entries(&[], 1, n_params, &HEAT, &Reentry::default());
        let taken = bytes.windows(3).position(|three| three == [0x48, 0x83, 0xec]).unwrap();
        assert_eq!(bytes[taken + 3], n_bytes, "{n_params} parameters");
    }
}

#[test]
fn calls_of_itself_lead_to_the_entry() {
    let code = [0xe8, 0, 0, 0, 0, 0xc3, 0xe8, 0, 0, 0, 0, 0xc3];
    let reentry = Reentry { calls: vec![1, 7], slot: Some(0x7fff_3333_3330) };
    let bytes = count_entries(&code, 16, 2, &HEAT, &reentry);
    let body = bytes.iter().position(|&byte| byte == 0xe8).unwrap();
    for call in [body + 1, body + 7] {
        assert_eq!(target(&bytes, call), 0);
    }
}

#[test]
fn the_slot_is_followed_by_code_that_calls_itself_in_tail_position() {
    let slot = 0x7fff_3333_3330_usize;
    let has_slot = |reentry: &Reentry| {
        let bytes = count_entries(&[0xc3], 16, 3, &HEAT, reentry);
        bytes.windows(8).any(|eight| eight == slot.to_le_bytes())
    };
    assert!(has_slot(&Reentry { calls: Vec::new(), slot: Some(slot) }));
    assert!(!has_slot(&Reentry::default()));
}
