//! Functions of a linked object: name, address and size.
//!
//! Debuggers and profilers read this list. It contains global functions of 64-bit ELF objects.
//! Reading the list links the object if it is not linked yet.

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSymbol as _, SymbolKind};

use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::object::Object;
use crate::tracker::Tracker;

/// A global function of a linked object.
pub(crate) struct LinkedFunction<'data> {
    pub(crate) name: &'data str,
    pub(crate) section: object::SectionIndex,
    pub(crate) offset: u64,
    pub(crate) n_bytes: u64,
    pub(crate) address: Address,
}

#[cfg(target_os = "linux")]
impl LinkedFunction<'_> {
    /// The function's code in the object file, before relocation.
    pub(crate) fn code<'data>(&self, object: &'data Object) -> Result<&'data [u8], Error> {
        use object::ObjectSection as _;

        let file = parse_elf(object)?;
        let section = file.section_by_index(self.section).map_err(unreadable_object)?;
        let code = section.data_range(self.offset, self.n_bytes).map_err(unreadable_object)?;
        code.ok_or_else(|| Error::new(ErrorKind::Object, format!("object has no code for {}", self.name)))
    }
}

/// The global functions of the tracker's object, with their linked addresses.
pub(crate) fn linked_functions<'data>(
    tracker: &Tracker,
    object: &'data Object,
) -> Result<Vec<LinkedFunction<'data>>, Error> {
    let file = parse_elf(object)?;
    let mut found = Vec::new();
    for symbol in file.symbols() {
        let (SymbolKind::Text, true, Some(section)) =
            (symbol.kind(), symbol.is_global(), symbol.section_index())
        else {
            continue;
        };
        let name = symbol.name().map_err(unreadable_object)?;
        found.push(LinkedFunction {
            name,
            section,
            offset: symbol.address(),
            n_bytes: symbol.size(),
            address: tracker.lookup(name)?,
        });
    }
    Ok(found)
}

pub(crate) fn parse_elf(object: &Object) -> Result<ElfFile64<'_>, Error> {
    ElfFile64::parse(object.bytes()).map_err(unreadable_object)
}

fn unreadable_object(error: object::Error) -> Error {
    Error::new(ErrorKind::Object, format!("object cannot be read: {error}"))
}
