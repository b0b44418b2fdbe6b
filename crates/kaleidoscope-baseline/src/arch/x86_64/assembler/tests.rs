//! The entry in front of the body, and where code finds its numbers. Other tests run the code.

use super::{ALIGN, Assembler, FILLER, LONG_NOP};
use crate::Counters;
use crate::assembler::{Entry, MacroAssembler as _, Register, UnaryOperator, Word};
use crate::machine_code::MachineCode;

const COUNTERS: Counters = Counters {
    table: 0x7fff_1111_1110,
    entry_thunk: 0x7fff_2222_2220,
    trip_thunk: None,
    code_number: 7,
    tail_calls: 5,
};

const PLAIN: Entry<'_> =
    Entry { frame_bytes: 0, counters: None, tail_calls: None, has_tail_call: false, is_debugged: false };

/// `pop rbp; ret`.
const END: [u8; 2] = [0x5d, 0xc3];

/// A function that returns, with this entry.
fn finish(entry: &Entry<'_>) -> MachineCode {
    let mut assembler = Assembler::default();
    assembler.begin();
    assembler.end();
    assembler.finish(entry)
}

/// The target of the jump or call whose displacement is at this offset.
fn target(bytes: &[u8], at: usize) -> usize {
    let displacement = i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    (at as i32 + 4 + displacement) as usize
}

#[test]
fn the_entry_ends_where_the_aligned_body_begins() {
    let frames = [0, 16, 4096, 8192 + 48];
    for frame_bytes in frames {
        for counters in [None, Some(&COUNTERS)] {
            for tail_calls in [None, counters.map(|_| Word::Frame(8))] {
                let code = finish(&Entry {
                    frame_bytes,
                    counters,
                    tail_calls,
                    has_tail_call: false,
                    is_debugged: false,
                });
                let end = code.bytes.windows(END.len()).position(|bytes| bytes == END).unwrap();
                let body = end - LONG_NOP.len();
                if frame_bytes == 0 {
                    assert_eq!(code.bytes[body..end], LONG_NOP);
                } else {
                    assert_eq!(code.bytes[body..body + 3], [0x48, 0x81, 0xc4], "add rsp, the size");
                    assert_eq!(code.bytes[body + 3..end], (frame_bytes as i32).to_le_bytes());
                }
                assert_eq!((body % ALIGN, code.align), (0, ALIGN));
                assert!(code.entry < ALIGN, "{} bytes are unused", code.entry);
                assert!(code.bytes[..code.entry].iter().all(|&byte| byte == FILLER));
            }
        }
    }
}

#[test]
fn a_tripped_entry_counter_continues_behind_the_counter() {
    let code = finish(&Entry { counters: Some(&COUNTERS), ..PLAIN });
    let bytes = &code.bytes[code.entry..];
    assert_eq!(bytes[..2], [0x48, 0xb8], "the address of the counter comes first");
    let restart = Assembler::COUNTER_BYTES;
    let tripped = target(bytes, restart - 4);
    assert_eq!(bytes[tripped], 0xbf, "mov edi, the code's number");
    let jump = tripped + bytes[tripped..].iter().position(|&byte| byte == 0xe9).unwrap();
    assert_eq!(target(bytes, jump + 1), restart);
}

#[test]
fn only_tail_calls_continue_where_a_report_says() {
    const JUMP_RAX: [u8; 2] = [0xff, 0xe0];
    for has_tail_call in [false, true] {
        let code = finish(&Entry { counters: Some(&COUNTERS), has_tail_call, ..PLAIN });
        assert_eq!(code.bytes.windows(2).any(|two| two == JUMP_RAX), has_tail_call);
    }
}

#[test]
fn each_number_is_in_memory_once_and_zero_is_made() {
    let mut assembler = Assembler::default();
    assembler.begin();
    for number in [1.5, 2.5, 0.0, 1.5, -0.0, 2.5] {
        assembler.number(Register(3), number);
    }
    let bytes = assembler.finish(&PLAIN).bytes;
    let n_times = |number: f64| bytes.windows(8).filter(|eight| *eight == number.to_le_bytes()).count();
    assert_eq!([1.5, 2.5, 0.0, -0.0].map(n_times), [1, 1, 0, 1]);
}

#[test]
fn code_that_is_forgotten_refers_to_nothing() {
    let mut assembler = Assembler::default();
    assembler.begin();
    let here = assembler.here();
    assembler.number(Register(3), 1.5);
    assembler.rewind(here);
    assembler.end();
    let bytes = assembler.finish(&PLAIN).bytes;
    assert!(bytes.windows(END.len()).any(|bytes| bytes == END), "no displacement was written over it");
}

#[test]
fn old_processors_have_no_instructions_that_round() {
    let has = |assembler: &Assembler| UnaryOperator::ALL.map(|operator| assembler.has_unary(operator));
    assert_eq!(has(&Assembler::new(false, false)), [true, true, false, false, false, false]);
    assert_eq!(has(&Assembler::new(true, true)), [true; 6]);
}
