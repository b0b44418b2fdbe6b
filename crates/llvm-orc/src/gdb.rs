//! GDB's JIT interface: makes a linked object visible to GDB and LLDB.
//!
//! Debuggers read the symbols of an object file whose section headers contain the addresses of the
//! linked sections. `jit_code_list.rs` passes the file to them.

use object::read::elf::FileHeader;
use object::{Endianness, elf};

use crate::error::{Error, ErrorKind};
use crate::jit_code_list::RegisteredObject;
use crate::linked_functions::{linked_functions, parse_elf};
use crate::object::Object;
use crate::tracker::Tracker;

impl Tracker {
    /// Registers the tracker's object with debuggers until the tracker is removed. Backtraces then
    /// name its functions, and debuggers use its debug information if it has any. Links the object
    /// if it is not linked yet.
    ///
    /// Costs a copy of the object. An attached debugger stops the process to read the copy.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the object is not a 64-bit ELF file, and the errors of
    /// [`lookup`](Tracker::lookup).
    pub fn show_to_debugger(&self, object: &Object) -> Result<(), Error> {
        let mut bytes = object.bytes().to_vec();
        let file = parse_elf(object)?;
        let endian = file.endian();
        let header_table = file.elf_header().e_shoff(endian);
        let header_size = u64::from(file.elf_header().e_shentsize(endian));
        for function in linked_functions(self, object)? {
            let start = function.address.get().wrapping_sub(function.offset);
            let offset = header_table + header_size * function.section.0 as u64 + SECTION_ADDRESS;
            let offset =
                usize::try_from(offset).map_err(|_| Error::new(ErrorKind::Object, "object too large"))?;
            let start = if endian == Endianness::Little { start.to_le_bytes() } else { start.to_be_bytes() };
            let header = bytes.get_mut(offset..offset + start.len());
            header
                .ok_or_else(|| Error::new(ErrorKind::Object, "object file is cut off"))?
                .copy_from_slice(&start);
        }
        self.keep_registered(RegisteredObject::register(bytes.into()));
        Ok(())
    }
}

/// Offset of the address in a section header.
const SECTION_ADDRESS: u64 = std::mem::offset_of!(elf::SectionHeader64<Endianness>, sh_addr) as u64;
