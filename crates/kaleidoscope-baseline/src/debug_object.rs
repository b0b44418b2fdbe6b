//! Debug information of baseline code: an object file in memory, for GDB's JIT interface.
//!
//! Its section for code has the address of the code in memory. The file also has a symbol, unwind
//! information and, if the function has positions, DWARF 5: a line table, the parameters, and the
//! other variables with their scopes.

mod dwarf;
mod elf;
mod scopes;

use kaleidoscope_ir::{Function, SourcePosition};

use crate::machine_code::CodeLayout;
use dwarf::Dwarf;
use elf::{Elf, Section};

/// Code in memory that an object file describes.
#[derive(Clone, Copy, Debug)]
pub struct DebuggedCode<'a> {
    /// The name that debuggers show: the function's, as it is written.
    pub name: &'a str,
    /// The address of the code's first byte.
    pub address: usize,
    /// The code.
    pub bytes: &'a [u8],
    /// The offset of the entry.
    pub entry: usize,
    /// The layout that the compiler returned with the code.
    pub layout: &'a CodeLayout,
    /// The function that was compiled. `None` for a thunk.
    pub function: Option<&'a Function>,
}

/// The object file that describes the code.
pub fn debug_object(code: &DebuggedCode<'_>) -> Vec<u8> {
    let mut elf = Elf::new(code);
    let mut dwarf = Dwarf::new(code);
    elf.add(Section::debug(".debug_frame", dwarf.frames()));
    if let Some(function) = code.function
        && let Some(positions) = function.positions()
    {
        dwarf.describe(function, positions);
        for (name, bytes) in dwarf.into_sections() {
            elf.add(Section::debug(name, bytes));
        }
    }
    elf.finish()
}

/// A row of the line table: the code from this offset on belongs to this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LineRow {
    offset: usize,
    position: SourcePosition,
    /// Whether the frame is complete here for the first time.
    is_body: bool,
}

/// Where the code of each operation begins, without those that have none, and the end of each.
fn pieces(layout: &CodeLayout) -> impl Iterator<Item = (usize, usize, kaleidoscope_ir::OpIdx)> {
    layout.ops.iter().enumerate().filter_map(|(at, &(begin, op))| {
        let end = layout.ops.get(at + 1).map_or(layout.end, |(next, _)| *next);
        (begin < end).then_some((begin, end, op))
    })
}
