//! Symbol names in the session's string pool, and symbol flags.

use std::ffi::CStr;
use std::fmt;

use llvm_sys::orc2::{
    LLVMJITSymbolFlags, LLVMJITSymbolGenericFlags, LLVMOrcCSymbolFlagsMapPair, LLVMOrcExecutionSessionIntern,
    LLVMOrcSymbolStringPoolEntryRef, LLVMOrcSymbolStringPoolEntryStr,
};

use crate::error::{Error, c_name};
use crate::out_of_memory::InsideLlvm;
use crate::session::Session;

const EXPORTED: u8 = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8;
const WEAK: u8 = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsWeak as u8;
const CALLABLE: u8 = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsCallable as u8;

/// Linkage of a symbol: function or datum, strong or weak, visible to other dylibs or hidden.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SymbolFlags(u8);

impl SymbolFlags {
    /// A function that other dylibs see.
    pub const FUNCTION: SymbolFlags = SymbolFlags(EXPORTED | CALLABLE);
    /// A datum that other dylibs see.
    pub const DATUM: SymbolFlags = SymbolFlags(EXPORTED);

    /// The same flags, but weak: another definition of the name overrides this one until this one
    /// is materialized.
    #[must_use]
    pub const fn weak(self) -> SymbolFlags {
        SymbolFlags(self.0 | WEAK)
    }

    /// The same flags, but hidden: only the symbol's own dylib sees it.
    #[must_use]
    pub const fn hidden(self) -> SymbolFlags {
        SymbolFlags(self.0 & !EXPORTED)
    }

    /// Whether the symbol is a function.
    #[must_use]
    pub const fn is_function(self) -> bool {
        self.0 & CALLABLE != 0
    }

    /// Whether another definition overrides the symbol.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        self.0 & WEAK != 0
    }

    /// Whether only the symbol's own dylib sees it.
    #[must_use]
    pub const fn is_hidden(self) -> bool {
        self.0 & EXPORTED == 0
    }

    pub(crate) fn raw(self) -> LLVMJITSymbolFlags {
        LLVMJITSymbolFlags { GenericFlags: self.0, TargetFlags: 0 }
    }

    pub(crate) fn from_raw_flags(raw: &LLVMJITSymbolFlags) -> SymbolFlags {
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

/// The name's pool entry, with one reference count that the caller must pass on to LLVM.
pub(crate) fn intern(session: &Session, name: &CStr) -> LLVMOrcSymbolStringPoolEntryRef {
    let _inside = InsideLlvm::enter();
    // SAFETY: the session is alive and the name is NUL-terminated.
    unsafe { LLVMOrcExecutionSessionIntern(session.raw(), name.as_ptr()) }
}

/// Name-flags pairs for LLVM. Each name has one reference count that the caller must pass on to
/// LLVM.
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

/// The name of a pool entry.
///
/// # Safety
/// The entry is alive.
pub(crate) unsafe fn entry_name(entry: LLVMOrcSymbolStringPoolEntryRef) -> String {
    // SAFETY: guaranteed by the caller.
    let text = unsafe { LLVMOrcSymbolStringPoolEntryStr(entry) };
    // SAFETY: the text is NUL-terminated and lives as long as the entry.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
