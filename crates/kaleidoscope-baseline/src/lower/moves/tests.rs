//! Parallel moves, on an array instead of registers.

use super::Moves;
use crate::assembler::Register;

/// What each of 4 registers and the scratch register hold after moves from `from` to 0, 1, 2 and 3.
fn after(from: [u8; 4]) -> [u8; 4] {
    let mut moves = Moves::new();
    for (to, from) in (0..).zip(from) {
        moves.add(Register(to), Register(from));
    }
    let mut values = [0, 1, 2, 3, 99];
    moves.emit_with(Register(4), |to, from| values[usize::from(to.0)] = values[usize::from(from.0)]);
    [values[0], values[1], values[2], values[3]]
}

#[test]
fn all_moves_read_what_was_there_before() {
    for number in 0..4_u32.pow(4) {
        let from = [0, 1, 2, 3].map(|digit| (number / 4_u32.pow(digit) % 4) as u8);
        assert_eq!(after(from), from);
    }
}
