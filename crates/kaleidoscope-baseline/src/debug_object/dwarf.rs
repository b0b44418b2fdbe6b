//! DWARF 5 for one function: `.debug_frame`, `.debug_info`, `.debug_line` and what these refer to.
//!
//! The standard (dwarfstd.org, version 5) names sections and constants; the comments give its
//! section numbers.

use kaleidoscope_ir::{Function, Local, SourcePosition, SourcePositions};

use super::scopes::{Scope, scopes};
use super::{DebuggedCode, LineRow, pieces};
use crate::arch;
use crate::machine_code::FrameState;

const VERSION: u16 = 5;
const ADDRESS_BYTES: u8 = 8;

/// Writes the sections.
pub(super) struct Dwarf<'a> {
    code: &'a DebuggedCode<'a>,
    info: Bytes,
    lines: Bytes,
    ranges: Bytes,
}

/// Bytes under construction.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn half(&mut self, half: u16) {
        self.0.extend_from_slice(&half.to_le_bytes());
    }

    fn word(&mut self, word: u32) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    fn address(&mut self, address: usize) {
        self.0.extend_from_slice(&(address as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.extend(text.bytes().filter(|byte| *byte != 0));
        self.byte(0);
    }

    /// An unsigned number (7.6).
    fn unsigned(&mut self, mut number: u64) {
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            self.byte(if number == 0 { low } else { low | 0x80 });
            if number == 0 {
                return;
            }
        }
    }

    /// A signed number (7.6).
    fn signed(&mut self, mut number: i64) {
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            let is_last = (number == 0 && low & 0x40 == 0) || (number == -1 && low & 0x40 != 0);
            self.byte(if is_last { low } else { low | 0x80 });
            if is_last {
                return;
            }
        }
    }

    /// Room for a length, which [`end`](Self::end) fills in.
    fn begin(&mut self) -> usize {
        self.word(0);
        self.0.len()
    }

    /// Sets the length of what follows its word, which ended at `from`.
    fn end(&mut self, from: usize) {
        let length = (self.0.len() - from) as u32;
        self.0[from - 4..from].copy_from_slice(&length.to_le_bytes());
    }

    /// Content with its length in front.
    fn block(&mut self, content: &Bytes) {
        self.unsigned(content.0.len() as u64);
        self.0.extend_from_slice(&content.0);
    }
}

impl<'a> Dwarf<'a> {
    pub(super) fn new(code: &'a DebuggedCode<'a>) -> Self {
        Self { code, info: Bytes::default(), lines: Bytes::default(), ranges: Bytes::default() }
    }

    /// Call frame information (6.4), for `.debug_frame`.
    pub(super) fn frames(&self) -> Vec<u8> {
        const NEITHER: u8 = 0;
        const DEF_CFA: u8 = 0x0c;
        const ADVANCE_4: u8 = 0x04;
        const OFFSET: u8 = 0x80;
        const SAME_VALUE: u8 = 0x08;
        let mut frames = Bytes::default();
        // The common part: version 4, no augmentation, sizes, factors, and the return address.
        let common = frames.begin();
        frames.word(u32::MAX);
        frames.byte(4);
        frames.byte(NEITHER);
        frames.byte(ADDRESS_BYTES);
        frames.byte(0);
        frames.unsigned(1);
        frames.signed(-8);
        frames.unsigned(u64::from(arch::RETURN_ADDRESS));
        frames.byte(DEF_CFA);
        frames.unsigned(u64::from(arch::STACK_POINTER));
        frames.unsigned(arch::ENTERED_BYTES);
        frames.byte(OFFSET | arch::RETURN_ADDRESS);
        frames.unsigned(1);
        frames.end(common);

        let function = frames.begin();
        frames.word(0);
        frames.address(self.code.address + self.code.entry);
        frames.address(self.code.bytes.len() - self.code.entry);
        let mut at = self.code.entry;
        for &(offset, state) in &self.code.layout.unwind {
            if offset > at {
                frames.byte(ADVANCE_4);
                frames.word((offset - at) as u32);
                at = offset;
            }
            let (register, n_bytes) = match state {
                FrameState::Entered => (arch::STACK_POINTER, arch::ENTERED_BYTES),
                FrameState::Pushed => (arch::STACK_POINTER, arch::FRAMED_BYTES),
                FrameState::Framed => (arch::FRAME_POINTER, arch::FRAMED_BYTES),
            };
            frames.byte(DEF_CFA);
            frames.unsigned(u64::from(register));
            frames.unsigned(n_bytes);
            if state == FrameState::Entered {
                frames.byte(SAME_VALUE);
                frames.unsigned(u64::from(arch::FRAME_POINTER));
            } else {
                frames.byte(OFFSET | arch::FRAME_POINTER);
                frames.unsigned(2);
            }
        }
        frames.end(function);
        frames.0
    }

    /// Writes what the function's positions say.
    pub(super) fn describe(&mut self, function: &Function, positions: &SourcePositions) {
        self.line_table(positions);
        self.begin_ranges();
        self.unit(function, positions);
    }

    /// The sections that [`describe`](Self::describe) has written.
    pub(super) fn into_sections(self) -> [(&'static str, Vec<u8>); 4] {
        [
            (".debug_abbrev", abbreviations()),
            (".debug_info", self.info.0),
            (".debug_line", self.lines.0),
            (".debug_rnglists", self.ranges.0),
        ]
    }

    /// The rows of the line table.
    fn rows(&self, positions: &SourcePositions) -> Vec<LineRow> {
        let entry = self.code.entry;
        let mut rows = vec![LineRow { offset: entry, position: positions.definition, is_body: false }];
        for (at, (offset, _, op)) in pieces(self.code.layout).enumerate() {
            let position = positions.of_op(op);
            let is_body = at == 0;
            if is_body || rows.last().is_some_and(|last| last.position != position) {
                rows.push(LineRow { offset, position, is_body });
            }
        }
        rows
    }

    /// The line table (6.2).
    fn line_table(&mut self, positions: &SourcePositions) {
        /// Standard opcodes, and the number of their operands.
        const N_OPERANDS: [u8; 12] = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
        const COPY: u8 = 1;
        const ADVANCE_PC: u8 = 2;
        const ADVANCE_LINE: u8 = 3;
        const SET_COLUMN: u8 = 5;
        const SET_PROLOGUE_END: u8 = 10;
        const EXTENDED: u8 = 0;
        const END_SEQUENCE: u8 = 1;
        const SET_ADDRESS: u8 = 2;
        const CONTENT_PATH: u64 = 1;
        const CONTENT_DIRECTORY: u64 = 2;
        const FORM_STRING: u64 = 0x08;
        const FORM_UDATA: u64 = 0x0f;

        let rows = self.rows(positions);
        let lines = &mut self.lines;
        let unit = lines.begin();
        lines.half(VERSION);
        lines.byte(ADDRESS_BYTES);
        lines.byte(0);
        let header = lines.begin();
        // Instructions of one byte, one operation each; rows are statements; no special opcodes.
        for byte in [1, 1, 1, 0, 1, N_OPERANDS.len() as u8 + 1] {
            lines.byte(byte);
        }
        lines.0.extend_from_slice(&N_OPERANDS);
        // Folders, and then files: the first of each is that of the unit.
        lines.byte(1);
        lines.unsigned(CONTENT_PATH);
        lines.unsigned(FORM_STRING);
        lines.unsigned(1);
        lines.text(&positions.directory);
        lines.byte(2);
        for number in [CONTENT_PATH, FORM_STRING, CONTENT_DIRECTORY, FORM_UDATA] {
            lines.unsigned(number);
        }
        // Twice, because some readers count files from 1.
        lines.unsigned(2);
        for _ in 0..2 {
            lines.text(&positions.file);
            lines.unsigned(0);
        }
        lines.end(header);

        lines.byte(EXTENDED);
        lines.unsigned(1 + u64::from(ADDRESS_BYTES));
        lines.byte(SET_ADDRESS);
        lines.address(self.code.address);
        let (mut offset, mut line) = (0, 1_i64);
        for row in &rows {
            lines.byte(ADVANCE_PC);
            lines.unsigned((row.offset - offset) as u64);
            lines.byte(ADVANCE_LINE);
            lines.signed(i64::from(row.position.line) - line);
            lines.byte(SET_COLUMN);
            lines.unsigned(u64::from(row.position.column));
            if row.is_body {
                lines.byte(SET_PROLOGUE_END);
            }
            lines.byte(COPY);
            (offset, line) = (row.offset, i64::from(row.position.line));
        }
        lines.byte(ADVANCE_PC);
        lines.unsigned((self.code.layout.end - offset) as u64);
        lines.byte(EXTENDED);
        lines.unsigned(1);
        lines.byte(END_SEQUENCE);
        lines.end(unit);
    }

    /// The header of the range lists (7.28). Its length is set by [`unit`](Self::unit).
    fn begin_ranges(&mut self) {
        self.ranges.begin();
        self.ranges.half(VERSION);
        self.ranges.byte(ADDRESS_BYTES);
        self.ranges.byte(0);
        self.ranges.word(0);
    }

    /// The unit with its one function (7.5).
    fn unit(&mut self, function: &Function, positions: &SourcePositions) {
        const COMPILE_UNIT: u8 = 1;
        const LANGUAGE_C11: u16 = 0x1d;
        const ENCODING_FLOAT: u8 = 4;
        const CALL_FRAME_CFA: u8 = 0x9c;
        let unit = self.info.begin();
        self.info.half(VERSION);
        self.info.byte(COMPILE_UNIT);
        self.info.byte(ADDRESS_BYTES);
        self.info.word(0);

        let (start, n_bytes) = (self.code.address + self.code.entry, self.code.layout.end - self.code.entry);
        self.info.unsigned(ABBREV_UNIT);
        self.info.text(concat!("Kaleidoscope ", env!("CARGO_PKG_VERSION")));
        // Expressions that users type in a debugger are those of C.
        self.info.half(LANGUAGE_C11);
        self.info.text(&positions.file);
        self.info.text(&positions.directory);
        self.info.word(0);
        self.info.address(start);
        self.info.address(n_bytes);

        // Counts from the length of the unit, which is in front of `unit`.
        let double = (self.info.0.len() - (unit - 4)) as u32;
        self.info.unsigned(ABBREV_DOUBLE);
        self.info.text("double");
        self.info.byte(ENCODING_FLOAT);
        self.info.byte(8);

        self.info.unsigned(ABBREV_FUNCTION);
        self.info.text(self.code.name);
        self.info.unsigned(1);
        self.info.unsigned(u64::from(positions.definition.line));
        self.info.unsigned(u64::from(positions.definition.column));
        self.info.word(double);
        self.info.address(start);
        self.info.address(n_bytes);
        self.info.block(&Bytes(vec![CALL_FRAME_CFA]));
        for index in 0..function.n_params {
            self.variable(ABBREV_PARAMETER, function, Local::new(index), positions.definition, double);
        }
        self.scopes(function, scopes(self.code.layout, positions), double);
        // Ends the function, and the unit.
        self.info.byte(0);
        self.info.byte(0);
        self.info.end(unit);
        self.ranges.end(4);
    }

    /// The scopes, each with its variable.
    fn scopes(&mut self, function: &Function, scopes: Vec<Scope>, double: u32) {
        let mut depth = 0;
        for scope in scopes {
            while depth > scope.depth {
                self.info.byte(0);
                depth -= 1;
            }
            if let [(begin, end)] = *scope.ranges {
                self.info.unsigned(ABBREV_SCOPE);
                self.info.address(self.code.address + begin);
                self.info.address(end - begin);
            } else {
                self.info.unsigned(ABBREV_SCOPE_OF_RANGES);
                self.info.word(self.ranges.0.len() as u32);
                self.add_ranges(&scope.ranges);
            }
            depth += 1;
            self.variable(ABBREV_VARIABLE, function, scope.variable, scope.position, double);
        }
        for _ in 0..depth {
            self.info.byte(0);
        }
    }

    fn add_ranges(&mut self, ranges: &[(usize, usize)]) {
        const START_LENGTH: u8 = 7;
        const END_OF_LIST: u8 = 0;
        for &(begin, end) in ranges {
            self.ranges.byte(START_LENGTH);
            self.ranges.address(self.code.address + begin);
            self.ranges.unsigned((end - begin) as u64);
        }
        self.ranges.byte(END_OF_LIST);
    }

    fn variable(&mut self, kind: u64, function: &Function, variable: Local, at: SourcePosition, double: u32) {
        const FRAME_BASE_OFFSET: u8 = 0x91;
        self.info.unsigned(kind);
        self.info.text(&function.locals[variable.index()]);
        self.info.unsigned(1);
        self.info.unsigned(u64::from(at.line));
        self.info.word(double);
        let mut location = Bytes::default();
        if let Some(&Some(home)) = self.code.layout.homes.get(variable.index()) {
            location.byte(FRAME_BASE_OFFSET);
            location.signed(i64::from(home) - arch::FRAMED_BYTES as i64);
        }
        self.info.block(&location);
    }
}

const ABBREV_UNIT: u64 = 1;
const ABBREV_DOUBLE: u64 = 2;
const ABBREV_FUNCTION: u64 = 3;
const ABBREV_PARAMETER: u64 = 4;
const ABBREV_VARIABLE: u64 = 5;
const ABBREV_SCOPE: u64 = 6;
const ABBREV_SCOPE_OF_RANGES: u64 = 7;

/// A number, a tag, whether entries have children, and attributes with their forms.
type Abbreviation = (u64, u64, bool, &'static [(u64, u64)]);

/// The abbreviations (7.5.3).
fn abbreviations() -> Vec<u8> {
    /// Forms.
    const ADDRESS: u64 = 0x01;
    const HALF: u64 = 0x05;
    const LONG: u64 = 0x07;
    const STRING: u64 = 0x08;
    const BYTE: u64 = 0x0b;
    const NUMBER: u64 = 0x0f;
    const REFERENCE: u64 = 0x13;
    const OFFSET: u64 = 0x17;
    const EXPRESSION: u64 = 0x18;
    const PRESENT: u64 = 0x19;
    /// Attributes.
    const LOCATION: u64 = 0x02;
    const NAME: u64 = 0x03;
    const BYTE_SIZE: u64 = 0x0b;
    const STMT_LIST: u64 = 0x10;
    const LOW_PC: u64 = 0x11;
    const HIGH_PC: u64 = 0x12;
    const LANGUAGE: u64 = 0x13;
    const COMP_DIR: u64 = 0x1b;
    const PRODUCER: u64 = 0x25;
    const PROTOTYPED: u64 = 0x27;
    const DECL_COLUMN: u64 = 0x39;
    const DECL_FILE: u64 = 0x3a;
    const DECL_LINE: u64 = 0x3b;
    const ENCODING: u64 = 0x3e;
    const EXTERNAL: u64 = 0x3f;
    const FRAME_BASE: u64 = 0x40;
    const TYPE: u64 = 0x49;
    const RANGES: u64 = 0x55;
    let variable: &'static [_] = &[
        (NAME, STRING),
        (DECL_FILE, NUMBER),
        (DECL_LINE, NUMBER),
        (TYPE, REFERENCE),
        (LOCATION, EXPRESSION),
    ];
    let all: [Abbreviation; 7] = [
        (
            ABBREV_UNIT,
            0x11,
            true,
            &[
                (PRODUCER, STRING),
                (LANGUAGE, HALF),
                (NAME, STRING),
                (COMP_DIR, STRING),
                (STMT_LIST, OFFSET),
                (LOW_PC, ADDRESS),
                (HIGH_PC, LONG),
            ],
        ),
        (ABBREV_DOUBLE, 0x24, false, &[(NAME, STRING), (ENCODING, BYTE), (BYTE_SIZE, BYTE)]),
        (
            ABBREV_FUNCTION,
            0x2e,
            true,
            &[
                (NAME, STRING),
                (DECL_FILE, NUMBER),
                (DECL_LINE, NUMBER),
                (DECL_COLUMN, NUMBER),
                (TYPE, REFERENCE),
                (LOW_PC, ADDRESS),
                (HIGH_PC, LONG),
                (FRAME_BASE, EXPRESSION),
                (EXTERNAL, PRESENT),
                (PROTOTYPED, PRESENT),
            ],
        ),
        (ABBREV_PARAMETER, 0x05, false, variable),
        (ABBREV_VARIABLE, 0x34, false, variable),
        (ABBREV_SCOPE, 0x0b, true, &[(LOW_PC, ADDRESS), (HIGH_PC, LONG)]),
        (ABBREV_SCOPE_OF_RANGES, 0x0b, true, &[(RANGES, OFFSET)]),
    ];
    let mut bytes = Bytes::default();
    for (number, tag, has_children, attributes) in all {
        bytes.unsigned(number);
        bytes.unsigned(tag);
        bytes.byte(u8::from(has_children));
        for &(attribute, form) in attributes {
            bytes.unsigned(attribute);
            bytes.unsigned(form);
        }
        bytes.unsigned(0);
        bytes.unsigned(0);
    }
    bytes.unsigned(0);
    bytes.0
}
