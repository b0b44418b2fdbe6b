//! Where the jumps and calls go, and that the stack is even at the call.

use super::{BEGIN_FRAME, COUNT_BYTES, COUNT_TAIL_CALLS_BYTES, FILLER, Reference, Target, count_around};
use crate::Heat;
use kaleidoscope_lang::code::Function;
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::Names;
use kaleidoscope_lang::reader::Reader;
use std::sync::Arc;

const HEAT: Heat =
    Heat { cells: 0x7fff_1111_1110, hot: 0x7fff_2222_2220, thunk: None, body: 7, tail_calls: 5 };

/// A function with so many parameters and this body.
fn function(n_params: usize, body: &str) -> Arc<Function> {
    let params: Vec<String> = (0..n_params).map(|k| format!("p{k}")).collect();
    let mut reader = Reader::new("test");
    reader.push(&format!("def f({}) {body};", params.join(" ")));
    reader.finish();
    let read = reader.read(&Names::new()).unwrap();
    let Some(Item::Definition { function, .. }) = read.item else { panic!("{:?}", read.diagnostics) };
    function
}

/// The code of such a function, with its counting.
fn around(code: &[u8], align: usize, n_params: usize) -> Vec<u8> {
    count_around(code, align, &function(n_params, "1"), &HEAT, &[], None).unwrap().0
}

/// Where the jump or call goes whose distance is here.
fn target(bytes: &[u8], at: usize) -> i32 {
    at as i32 + 4 + i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn the_code_lies_at_its_alignment_between_what_counts_and_what_reports() {
    let code = [0xc3; 5];
    for (n_params, align) in [(0, 1), (1, 16), (3, 32), (8, 64), (20, 16)] {
        let bytes = around(&code, align, n_params);
        let body = bytes.windows(5).position(|five| five == code).unwrap();
        assert_eq!(body % align, 0, "{n_params} parameters");
        let jump = bytes.windows(2).position(|pair| pair == [0x0f, 0x8e]).unwrap();
        assert_eq!(target(&bytes, jump + 2) as usize, body + code.len(), "{n_params} parameters");
        assert_eq!(target(&bytes, bytes.len() - 4) as usize, body, "{n_params} parameters");
    }
}

#[test]
fn it_is_entered_where_it_counts_right_in_front_of_the_code() {
    for align in [1, 2, 4, 8, 16, 32, 64, 128] {
        let (bytes, entry) = count_around(&[0xc3], align, &function(0, "1"), &HEAT, &[], None).unwrap();
        assert!(bytes[..entry].iter().all(|&byte| byte == FILLER));
        assert_eq!(bytes[entry..entry + 2], [0x48, 0xb8], "the address of the countdown comes first");
        assert_eq!(bytes[entry + COUNT_BYTES], 0xc3, "aligned to {align}");
    }
}

#[test]
fn as_many_words_are_taken_as_make_the_stack_even() {
    for (n_params, n_bytes) in [(0, 8), (1, 8), (2, 24), (7, 56), (8, 72), (20, 72)] {
        let bytes = around(&[], 1, n_params);
        let taken = bytes.windows(3).position(|three| three == [0x48, 0x83, 0xec]).unwrap();
        assert_eq!(bytes[taken + 3], n_bytes, "{n_params} parameters");
    }
}

#[test]
fn turns_are_counted_behind_the_code() {
    let code = [0xe8, 0, 0, 0, 0, 0xc3];
    let function = function(2, "for i = 1, i < 2 in p0");
    let references = [Reference { at: 1, target: Target::Turn(0) }];
    let (bytes, entry) = count_around(&code, 16, &function, &HEAT, &references, None).unwrap();
    let turn = target(&bytes, entry + COUNT_BYTES + 1) as usize;
    assert_eq!(bytes[turn..turn + 2], [0x48, 0xb8], "a turn counts first");
    assert_eq!(bytes[turn + 2..turn + 10], (HEAT.cells + 8).to_le_bytes(), "in the cell of the loop");
}

#[test]
fn tail_calls_keep_the_frame_and_are_counted_in_a_register() {
    let code = [0x55, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xe9, 0, 0, 0, 0, 0x90, 0x5d, 0xe9, 0, 0, 0, 0, 0xc3];
    let function = function(2, "if p0 < p1 then f(p1, p0) else f(p0, 1)");
    let references = [7, 14].map(|at| Reference { at, target: Target::Again });
    for align in [1, 16, 64] {
        let (bytes, entry) = count_around(&code, align, &function, &HEAT, &references, None).unwrap();
        let anew = entry + COUNT_BYTES;
        let body = anew + COUNT_TAIL_CALLS_BYTES;
        assert_eq!(body % align, 0);
        assert_eq!(bytes[anew..anew + 5], [0xbf, 6, 0, 0, 0], "mov edi, 6");
        assert_eq!(bytes[anew + 5..anew + 9], BEGIN_FRAME);
        let again = anew + 9;
        assert_eq!(bytes[again..again + 4], [0xff, 0xcf, 0x0f, 0x84], "dec edi; jz end");
        assert_eq!(again + 8, body + BEGIN_FRAME.len());
        for jump in [body + 5, body + 12] {
            assert_eq!(bytes[jump], 0xe9, "jmp again");
            assert_eq!(target(&bytes, jump + 1) as usize, again);
        }
        let end = target(&bytes, again + 4) as usize;
        assert_eq!(bytes[end - 1..=end], [0xc3, 0x5d], "the frame is left behind the code");
        assert_eq!(target(&bytes, anew - 4) as usize, end + 1, "where entries are reported");
        assert_eq!(target(&bytes, bytes.len() - 4) as usize, anew, "afterwards it counts from the beginning");
    }
}

#[test]
fn tail_calls_that_do_not_leave_the_known_frame_are_refused() {
    let function = function(2, "f(p1, p0)");
    let references = [Reference { at: 7, target: Target::Again }];
    for code in [
        [0x55, 0x48, 0x89, 0xe5, 0x90, 0xc9, 0xe9, 0, 0, 0, 0],
        [0x90, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xe9, 0, 0, 0, 0],
    ] {
        assert_eq!(count_around(&code, 16, &function, &HEAT, &references, None), None);
    }
}

#[test]
fn targets_have_names() {
    for target in [Target::Again, Target::Turn(0), Target::Turn(7)] {
        assert_eq!(Target::of_name(&target.name()), target);
    }
}

#[test]
fn the_slot_is_followed_by_code_that_calls_itself_in_tail_position() {
    let slot = 0x7fff_3333_3330_usize;
    let has_slot = |slot: Option<usize>| {
        let (bytes, _) = count_around(&[0xc3], 16, &function(3, "f(p0, p1, p2)"), &HEAT, &[], slot).unwrap();
        bytes.windows(8).any(|eight| eight == 0x7fff_3333_3330_usize.to_le_bytes())
    };
    assert!(has_slot(Some(slot)));
    assert!(!has_slot(None));
}
