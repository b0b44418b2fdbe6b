//! Where the jump goes, and that the stack is even at the call.

use super::{JUMP_BYTES, count_entries};
use crate::Heat;

const HEAT: Heat = Heat { cells: 0x7fff_1111_1110, hot: 0x7fff_2222_2220, thunk: None, body: 7 };

#[test]
fn the_jump_leads_to_the_code_at_its_alignment() {
    for (n_params, align) in [(0, 1), (1, 16), (3, 32), (8, 64), (20, 16)] {
        let bytes = count_entries(&[0xc3; 5], align, n_params, &HEAT);
        let jump = bytes.windows(2).position(|pair| pair == [0x0f, 0x8f]).unwrap();
        let distance = u32::from_le_bytes(bytes[jump + 2..jump + JUMP_BYTES].try_into().unwrap());
        let body = jump + JUMP_BYTES + distance as usize;
        assert_eq!((body % align, &bytes[body..]), (0, &[0xc3; 5][..]), "{n_params} parameters");
    }
}

#[test]
fn as_many_words_are_taken_as_make_the_stack_even() {
    for (n_params, n_bytes) in [(0, 8), (1, 8), (2, 24), (7, 56), (8, 72), (20, 72)] {
        let bytes = count_entries(&[], 1, n_params, &HEAT);
        let taken = bytes.windows(3).position(|three| three == [0x48, 0x83, 0xec]).unwrap();
        assert_eq!(bytes[taken + 3], n_bytes, "{n_params} parameters");
    }
}
