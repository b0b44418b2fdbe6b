//! GDB's JIT interface: makes a linked object visible to GDB and LLDB.
//!
//! Debuggers read the symbols of an object file whose section headers contain the addresses of the
//! linked sections. `jit_code_list.rs` passes the file to them.

use std::collections::BTreeMap;
use std::mem::offset_of;

use object::read::elf::{ElfFile64, FileHeader, SectionHeader};
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationKind, RelocationTarget, elf,
};

use crate::error::{Error, ErrorKind};
use crate::jit_code_list::RegisteredObject;
use crate::linked_functions::{linked_functions, parse_elf};
use crate::object::Object;
use crate::reserved_addresses::ReservedAddresses;
use crate::tracker::Tracker;

impl Tracker {
    /// Registers the tracker's object with debuggers until the tracker is removed. Backtraces then
    /// name its functions, and debuggers use its debug information if it has any. Links the object
    /// if it is not linked yet.
    ///
    /// A backtrace goes on behind a function that has unwind information: LLVM makes it for
    /// functions with the attribute `uwtable`, and for those with debug information.
    ///
    /// Costs a copy of the object. An attached debugger stops the process to read the copy.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is not a 64-bit ELF file, and the errors of
    /// [`lookup`](Tracker::lookup).
    pub fn show_to_debugger(&self, object: &Object) -> Result<(), Error> {
        let mut headers = SectionHeaders::of(self, object)?;
        let reserved = headers.locate_unwind_information(object)?;
        headers.hide_unlocated();
        self.keep_registered(RegisteredObject::register(headers.bytes.into(), reserved));
        Ok(())
    }

    /// The tracker's object as debuggers read it: its section headers have the addresses of the
    /// linked sections. For programs that pass it to debuggers themselves; others use
    /// [`show_to_debugger`](Tracker::show_to_debugger). Of two kinds of unwind information, only
    /// `.debug_frame` is in it. LLVM makes that for functions with debug information. Links the
    /// object if it is not linked yet.
    ///
    /// # Errors
    /// As [`show_to_debugger`](Tracker::show_to_debugger).
    pub fn located_object(&self, object: &Object) -> Result<Vec<u8>, Error> {
        let mut headers = SectionHeaders::of(self, object)?;
        headers.hide_unlocated();
        Ok(headers.bytes)
    }
}

/// An object file whose section headers are changed.
struct SectionHeaders {
    bytes: Vec<u8>,
    endian: Endianness,
    /// The offset of each header of a section that is in memory, with the section's size, and
    /// whether it is `.eh_frame`.
    allocated: BTreeMap<usize, (u64, bool)>,
    /// The address of each section with functions, by its index.
    code_starts: BTreeMap<usize, u64>,
    /// The end of the linked code.
    code_end: u64,
}

impl SectionHeaders {
    /// The headers of a linked object. Those of sections with functions have their addresses.
    fn of(tracker: &Tracker, object: &Object) -> Result<SectionHeaders, Error> {
        let file = parse_elf(object)?;
        let endian = file.endian();
        let cut_off = || Error::new(ErrorKind::Object, "object file is cut off");
        let header_table = usize::try_from(file.elf_header().e_shoff(endian)).map_err(|_| cut_off())?;
        let header_size = usize::from(file.elf_header().e_shentsize(endian));
        let offset_of_header = |section: usize| header_table + header_size * section;
        let sections = file.elf_section_table();
        let mut allocated = BTreeMap::new();
        for (section, header) in sections.enumerate() {
            if header.sh_flags(endian) & u64::from(elf::SHF_ALLOC) != 0 {
                let is_unwind = sections.section_name(endian, header).is_ok_and(|name| name == b".eh_frame");
                allocated.insert(offset_of_header(section.0), (header.sh_size(endian), is_unwind));
            }
        }
        let bytes = object.bytes().to_vec();
        let mut headers =
            SectionHeaders { bytes, endian, allocated, code_starts: BTreeMap::new(), code_end: 0 };
        if header_table + header_size * sections.len() > headers.bytes.len() {
            return Err(cut_off());
        }
        for function in linked_functions(tracker, object)? {
            let start = function.address.get().wrapping_sub(function.offset);
            let at = offset_of_header(function.section.0);
            headers.set(at + ADDRESS, start);
            headers.code_starts.insert(function.section.0, start);
            if let Some((n_bytes, _)) = headers.allocated.remove(&at) {
                headers.code_end = headers.code_end.max(start + n_bytes);
            }
        }
        Ok(headers)
    }

    /// Gives `.eh_frame` an address that is near the code, as its offsets of 32 bits want.
    fn locate_unwind_information(&mut self, object: &Object) -> Result<Option<ReservedAddresses>, Error> {
        let found = self.allocated.iter().find(|(_, (_, is_unwind))| *is_unwind);
        let Some((&at, &(n_bytes, _))) = found else { return Ok(None) };
        let reserved = usize::try_from(n_bytes).ok();
        let reserved = reserved.and_then(|n_bytes| ReservedAddresses::near(self.code_end, n_bytes));
        let Some(reserved) = reserved else { return Ok(None) };
        self.set(at + ADDRESS, reserved.start());
        self.allocated.remove(&at);
        self.relocate_unwind_information(&parse_elf(object)?, reserved.start());
        Ok(Some(reserved))
    }

    /// Relocates `.eh_frame`, which GDB does and LLDB does not: its offsets from itself to the
    /// code.
    fn relocate_unwind_information(&mut self, file: &ElfFile64<'_>, address: u64) {
        let Some(section) = file.section_by_name(".eh_frame") else { return };
        let Some((start, _)) = section.file_range() else { return };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let Ok(symbol) = file.symbol_by_index(symbol) else { continue };
            let code = symbol.section_index().and_then(|section| self.code_starts.get(&section.0));
            let (Some(code), RelocationKind::Relative, 32) = (code, relocation.kind(), relocation.size())
            else {
                continue;
            };
            let target = code.wrapping_add(symbol.address()).wrapping_add_signed(relocation.addend());
            let distance = target.wrapping_sub(address + offset) as u32;
            let distance = match self.endian {
                Endianness::Little => distance.to_le_bytes(),
                Endianness::Big => distance.to_be_bytes(),
            };
            let at = usize::try_from(start + offset).unwrap_or(usize::MAX);
            if let Some(field) = at.checked_add(4).and_then(|end| self.bytes.get_mut(at..end)) {
                field.copy_from_slice(&distance);
            }
        }
    }

    /// Hides the addresses of sections whose addresses no symbol tells: at 0 they would overlap.
    fn hide_unlocated(&mut self) {
        for at in std::mem::take(&mut self.allocated).into_keys() {
            let flags = self.get(at + FLAGS);
            self.set(at + FLAGS, flags & !u64::from(elf::SHF_ALLOC));
        }
    }

    fn get(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[at..at + 8]);
        if self.endian == Endianness::Little { u64::from_le_bytes(word) } else { u64::from_be_bytes(word) }
    }

    fn set(&mut self, at: usize, word: u64) {
        let word = if self.endian == Endianness::Little { word.to_le_bytes() } else { word.to_be_bytes() };
        self.bytes[at..at + 8].copy_from_slice(&word);
    }
}

/// Offset of the address in a section header.
const ADDRESS: usize = offset_of!(elf::SectionHeader64<Endianness>, sh_addr);
/// Offset of the flags.
const FLAGS: usize = offset_of!(elf::SectionHeader64<Endianness>, sh_flags);
