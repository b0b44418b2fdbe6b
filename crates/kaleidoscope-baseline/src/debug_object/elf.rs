//! The object file: ELF, as far as debuggers read it.

use crate::arch;
use crate::debug_object::DebuggedCode;

const HEADER_BYTES: usize = 64;
const SECTION_HEADER_BYTES: usize = 64;

/// Types of sections.
const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;

/// Flags of sections: in memory, executable.
const ALLOCATED: u64 = 2;
const EXECUTABLE: u64 = 4;

/// The index of the section for the code.
const TEXT: u16 = 1;
/// The index of the section with names of symbols.
const STRINGS: u32 = 2;

/// A section and its content.
#[derive(Debug, Default)]
pub(super) struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    bytes: Vec<u8>,
    link: u32,
    info: u32,
    align: u64,
    entry_bytes: u64,
}

impl Section {
    /// A section that only debuggers read.
    pub(super) fn debug(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, kind: PROGBITS, bytes, align: 1, ..Self::default() }
    }
}

/// An object file under construction.
#[derive(Debug)]
pub(super) struct Elf {
    sections: Vec<Section>,
}

impl Elf {
    /// A file with the code's section and its symbol.
    pub(super) fn new(code: &DebuggedCode<'_>) -> Self {
        let text = Section {
            flags: ALLOCATED | EXECUTABLE,
            address: code.address as u64,
            align: 16,
            // LLDB does not cope with code that the file lacks.
            ..Section::debug(".text", code.bytes.to_vec())
        };
        let strings = [b"\0", code.name.as_bytes(), b"\0"].concat();
        let strings = Section { kind: STRTAB, ..Section::debug(".strtab", strings) };
        /// A global function.
        const GLOBAL_FUNCTION: u8 = 1 << 4 | 2;
        const SYMBOL_BYTES: usize = 24;
        // The first symbol is empty.
        let mut symbols = vec![0; SYMBOL_BYTES];
        symbols.extend_from_slice(&1_u32.to_le_bytes());
        symbols.extend_from_slice(&[GLOBAL_FUNCTION, 0]);
        symbols.extend_from_slice(&TEXT.to_le_bytes());
        symbols.extend_from_slice(&((code.address + code.entry) as u64).to_le_bytes());
        symbols.extend_from_slice(&((code.bytes.len() - code.entry) as u64).to_le_bytes());
        let symbols = Section {
            kind: SYMTAB,
            link: STRINGS,
            // The first global symbol.
            info: 1,
            align: 8,
            entry_bytes: SYMBOL_BYTES as u64,
            ..Section::debug(".symtab", symbols)
        };
        Self { sections: vec![Section::default(), text, strings, symbols] }
    }

    pub(super) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// The bytes of the file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.add(Section { kind: STRTAB, ..Section::debug(".shstrtab", Vec::new()) });
        let mut names = Vec::new();
        let mut name_offsets = Vec::new();
        for section in &self.sections {
            name_offsets.push(names.len() as u32);
            names.extend_from_slice(section.name.as_bytes());
            names.push(0);
        }
        let last = self.sections.len() - 1;
        self.sections[last].bytes = names;

        let mut file = vec![0; HEADER_BYTES];
        let mut headers = Vec::new();
        for (section, name) in self.sections.iter().zip(name_offsets) {
            file.resize(file.len().next_multiple_of(8), 0);
            for word in [name, section.kind] {
                headers.extend_from_slice(&word.to_le_bytes());
            }
            for word in [section.flags, section.address, file.len() as u64, section.bytes.len() as u64] {
                headers.extend_from_slice(&word.to_le_bytes());
            }
            for word in [section.link, section.info] {
                headers.extend_from_slice(&word.to_le_bytes());
            }
            for word in [section.align, section.entry_bytes] {
                headers.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(&section.bytes);
        }
        file.resize(file.len().next_multiple_of(8), 0);
        let header = header(file.len(), self.sections.len());
        file[..HEADER_BYTES].copy_from_slice(&header);
        file.extend_from_slice(&headers);
        file
    }
}

/// The file's header. It says that addresses are final: debuggers then relocate nothing.
fn header(section_headers: usize, n_sections: usize) -> Vec<u8> {
    const EXECUTABLE_FILE: u16 = 2;
    // Magic number, 64 bits, little endian, version 1, System V.
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [EXECUTABLE_FILE, arch::ELF_MACHINE] {
        header.extend_from_slice(&half.to_le_bytes());
    }
    header.extend_from_slice(&1_u32.to_le_bytes());
    // No entry, and no program headers.
    for word in [0, 0, section_headers as u64] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    header.extend_from_slice(&0_u32.to_le_bytes());
    let halves =
        [HEADER_BYTES, 0, 0, SECTION_HEADER_BYTES, n_sections, n_sections - 1].map(|half| half as u16);
    for half in halves {
        header.extend_from_slice(&half.to_le_bytes());
    }
    header
}
