//! Names in the session's pool and what symbols are like.

use std::ffi::CStr;
use std::fmt;

use llvm_sys::orc2::{
    LLVMJITSymbolFlags, LLVMJITSymbolGenericFlags, LLVMOrcCSymbolFlagsMapPair, LLVMOrcExecutionSessionIntern,
    LLVMOrcSymbolStringPoolEntryRef, LLVMOrcSymbolStringPoolEntryStr,
};

use crate::error::{Error, c_name};
use crate::session::Session;

const EXPORTED: u8 = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8;
const WEAK: u8 = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsWeak as u8;
const CALLABLE: u8 = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsCallable as u8;

/// What a symbol is like: a function or a datum, strong or weak, seen from other dylibs or hidden.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SymbolFlags(u8);

impl SymbolFlags {
    /// A function that others see.
    pub const FUNCTION: SymbolFlags = SymbolFlags(EXPORTED | CALLABLE);
    /// A datum that others see.
    pub const DATUM: SymbolFlags = SymbolFlags(EXPORTED);

    /// The same, giving way to another definition of the name that comes before this one is needed.
    #[must_use]
    pub const fn weak(self) -> SymbolFlags {
        SymbolFlags(self.0 | WEAK)
    }

    /// The same, seen from its own dylib only.
    #[must_use]
    pub const fn hidden(self) -> SymbolFlags {
        SymbolFlags(self.0 & !EXPORTED)
    }

    /// Whether it is a function.
    #[must_use]
    pub const fn is_function(self) -> bool {
        self.0 & CALLABLE != 0
    }

    /// Whether it gives way to another definition.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        self.0 & WEAK != 0
    }

    /// Whether it is seen from its own dylib only.
    #[must_use]
    pub const fn is_hidden(self) -> bool {
        self.0 & EXPORTED == 0
    }

    pub(crate) fn raw(self) -> LLVMJITSymbolFlags {
        LLVMJITSymbolFlags { GenericFlags: self.0, TargetFlags: 0 }
    }

    pub(crate) fn of_raw(raw: &LLVMJITSymbolFlags) -> SymbolFlags {
        SymbolFlags(raw.GenericFlags)
    }
}

impl fmt::Debug for SymbolFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_function() { "FUNCTION" } else { "DATUM" })?;
        f.write_str(if self.is_weak() { ".weak()" } else { "" })?;
        f.write_str(if self.is_hidden() { ".hidden()" } else { "" })
    }
}

/// A count of a name's entry in the pool, to be given over to LLVM.
pub(crate) fn intern(session: &Session, name: &CStr) -> LLVMOrcSymbolStringPoolEntryRef {
    // SAFETY: the session is alive and the name is ended by NUL.
    unsafe { LLVMOrcExecutionSessionIntern(session.raw(), name.as_ptr()) }
}

/// The names and flags as LLVM takes them, each name with a count to be given over.
pub(crate) fn flag_pairs<'a>(
    session: &Session,
    symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
) -> Result<Vec<LLVMOrcCSymbolFlagsMapPair>, Error> {
    let named = symbols
        .into_iter()
        .map(|(name, flags)| Ok((c_name(name)?, flags)))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(named
        .iter()
        .map(|(name, flags)| LLVMOrcCSymbolFlagsMapPair { Name: intern(session, name), Flags: flags.raw() })
        .collect())
}

/// The name of an entry.
///
/// # Safety
/// The entry is alive.
pub(crate) unsafe fn name_of(entry: LLVMOrcSymbolStringPoolEntryRef) -> String {
    // SAFETY: the caller's promise.
    let text = unsafe { LLVMOrcSymbolStringPoolEntryStr(entry) };
    // SAFETY: ended by NUL, and the entry's as long as that lives.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
