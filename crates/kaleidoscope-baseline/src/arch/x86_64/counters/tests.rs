//! Where jumps and calls go, and that the stack is aligned at each call.

use super::{ENTRY_BYTES, FILLER, PROLOGUE, RESTART_BYTES, add_counters};
use crate::Counters;
use crate::counter_code::{CounterCode, CounterReference};

const COUNTERS: Counters = Counters {
    table: 0x7fff_1111_1110,
    on_trip: 0x7fff_2222_2220,
    trip_thunk: None,
    code_number: 7,
    tail_calls: 5,
};

/// The code with counters, without tail calls and loops.
fn counted(code: &[u8], align: usize, n_params: usize) -> Vec<u8> {
    add_counters(code, align, n_params, &COUNTERS, &[], false).unwrap().0
}

/// The target of the jump or call whose displacement is at this offset.
fn target(bytes: &[u8], at: usize) -> i32 {
    at as i32 + 4 + i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn the_code_is_aligned_between_counter_and_report() {
    let code = [0xc3; 5];
    for (n_params, align) in [(0, 1), (1, 16), (3, 32), (8, 64), (20, 16)] {
        let bytes = counted(&code, align, n_params);
        let body = bytes.windows(5).position(|five| five == code).unwrap();
        assert_eq!(body % align, 0, "{n_params} parameters");
        let jump = bytes.windows(2).position(|pair| pair == [0x0f, 0x8e]).unwrap();
        assert_eq!(target(&bytes, jump + 2) as usize, body + code.len(), "{n_params} parameters");
        assert_eq!(target(&bytes, bytes.len() - 4) as usize, body, "{n_params} parameters");
    }
}

#[test]
fn the_entry_point_is_the_counter_right_before_the_code() {
    for align in [1, 2, 4, 8, 16, 32, 64, 128] {
        let (bytes, entry) = add_counters(&[0xc3], align, 0, &COUNTERS, &[], false).unwrap();
        assert!(bytes[..entry].iter().all(|&byte| byte == FILLER));
        assert_eq!(bytes[entry..entry + 2], [0x48, 0xb8], "the address of the counter comes first");
        assert_eq!(bytes[entry + ENTRY_BYTES], 0xc3, "aligned to {align}");
    }
}

#[test]
fn the_report_aligns_the_stack_for_any_number_of_parameters() {
    for (n_params, n_bytes) in [(0, 8), (1, 8), (2, 24), (7, 56), (8, 72), (20, 72)] {
        let bytes = counted(&[], 1, n_params);
        let taken = bytes.windows(3).position(|three| three == [0x48, 0x83, 0xec]).unwrap();
        assert_eq!(bytes[taken + 3], n_bytes, "{n_params} parameters");
    }
}

#[test]
fn back_edges_are_counted_behind_the_code() {
    let code = [0xe8, 0, 0, 0, 0, 0xc3];
    let references = [CounterReference { offset: 1, target: CounterCode::BackEdge(0) }];
    let (bytes, entry) = add_counters(&code, 16, 2, &COUNTERS, &references, false).unwrap();
    let back_edge = target(&bytes, entry + ENTRY_BYTES + 1) as usize;
    assert_eq!(bytes[back_edge..back_edge + 2], [0x48, 0xb8], "a back edge counts first");
    let counter = &bytes[back_edge + 2..back_edge + 10];
    assert_eq!(*counter, (COUNTERS.table + 8).to_le_bytes(), "the counter is the loop's");
}

#[test]
fn self_tail_calls_keep_the_frame_and_count_in_a_register() {
    let code = [0x55, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xe9, 0, 0, 0, 0, 0x90, 0x5d, 0xe9, 0, 0, 0, 0, 0xc3];
    let references = [7, 14].map(|offset| CounterReference { offset, target: CounterCode::SelfTailCall });
    for align in [1, 16, 64] {
        let (bytes, entry) = add_counters(&code, align, 2, &COUNTERS, &references, false).unwrap();
        let restart = entry + ENTRY_BYTES;
        let body = restart + RESTART_BYTES;
        assert_eq!(body % align, 0);
        assert_eq!(bytes[restart..restart + 5], [0xbf, 6, 0, 0, 0], "mov edi, 6");
        assert_eq!(bytes[restart + 5..restart + 9], PROLOGUE);
        let tail_call = restart + 9;
        assert_eq!(bytes[tail_call..tail_call + 4], [0xff, 0xcf, 0x0f, 0x84], "dec edi; jz leave");
        assert_eq!(tail_call + 8, body + PROLOGUE.len());
        for jump in [body + 5, body + 12] {
            assert_eq!(bytes[jump], 0xe9, "jmp tail_call");
            assert_eq!(target(&bytes, jump + 1) as usize, tail_call);
        }
        let leave = target(&bytes, tail_call + 4) as usize;
        assert_eq!(bytes[leave - 1..=leave], [0xc3, 0x5d], "the code behind the function pops rbp");
        assert_eq!(target(&bytes, restart - 4) as usize, leave + 1, "a tripped entry counter jumps here");
        assert_eq!(target(&bytes, bytes.len() - 4) as usize, restart, "after a report, counting restarts");
    }
}

#[test]
fn an_unknown_prologue_or_epilogue_is_refused() {
    let references = [CounterReference { offset: 7, target: CounterCode::SelfTailCall }];
    for code in [
        [0x55, 0x48, 0x89, 0xe5, 0x90, 0xc9, 0xe9, 0, 0, 0, 0],
        [0x90, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xe9, 0, 0, 0, 0],
    ] {
        assert_eq!(add_counters(&code, 16, 2, &COUNTERS, &references, false), None);
    }
}

#[test]
fn only_tail_calls_continue_where_a_report_says() {
    const JUMP_RAX: [u8; 2] = [0xff, 0xe0];
    let jumps = |has_tail_call| {
        let (bytes, _) = add_counters(&[0xc3], 16, 3, &COUNTERS, &[], has_tail_call).unwrap();
        bytes.windows(2).any(|two| two == JUMP_RAX)
    };
    assert!(jumps(true));
    assert!(!jumps(false));
}
