//! The machine that code is made for: its triple, processor and features.
//!
//! Only the native target and its assembly printer are registered with LLVM, once a process. What the host is
//! is asked once, too: the text of its features is the same for every compiler.

use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::sync::OnceLock;

use llvm_sys::target_machine::{LLVMGetDefaultTargetTriple, LLVMGetHostCPUFeatures, LLVMGetHostCPUName};

use crate::arch;
use crate::error::{Error, ErrorKind, c_name, take_message};

/// What machine code is made for.
///
/// [`Target::host`] is this machine with all it can do. The processor and its features can be narrowed, so that
/// the code runs on older machines, too.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    triple: CString,
    cpu: CString,
    features: CString,
}

impl Target {
    /// This machine: its processor, with every feature it has.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if this LLVM was built without the machine's own architecture.
    pub fn host() -> Result<Target, Error> {
        static HOST: OnceLock<Target> = OnceLock::new();
        register()?;
        Ok(HOST.get_or_init(Target::detect).clone())
    }

    /// The same target with another processor, in the names of `llc -mcpu=help`.
    ///
    /// # Errors
    /// [`ErrorKind::Name`] if the name holds a NUL character.
    pub fn with_cpu(mut self, cpu: &str) -> Result<Target, Error> {
        self.cpu = c_name(cpu)?;
        Ok(self)
    }

    /// The same target with other features, in the manner of `"+avx2,-fma"`; the empty text means those that the
    /// processor's name implies.
    ///
    /// # Errors
    /// [`ErrorKind::Name`] if the text holds a NUL character.
    pub fn with_features(mut self, features: &str) -> Result<Target, Error> {
        // LLVM 23 looks at the first character of each.
        let features: Vec<_> = features.split(',').filter(|feature| !feature.is_empty()).collect();
        self.features = c_name(&features.join(","))?;
        Ok(self)
    }

    /// The triple, such as `x86_64-pc-linux-gnu`.
    #[must_use]
    pub fn triple(&self) -> &str {
        self.triple.to_str().unwrap_or_default()
    }

    /// The processor's name, such as `znver4`.
    #[must_use]
    pub fn cpu(&self) -> &str {
        self.cpu.to_str().unwrap_or_default()
    }

    /// The features, such as `+avx2,-fma`.
    #[must_use]
    pub fn features(&self) -> &str {
        self.features.to_str().unwrap_or_default()
    }

    /// The host as far as the linker asks, which is the triple: what the processor can do takes a quarter of a
    /// millisecond to find out, where a hypervisor answers `cpuid`.
    pub(crate) fn host_triple_only() -> Target {
        // SAFETY: one of the functions that `query_host` is for.
        let triple = unsafe { query_host(LLVMGetDefaultTargetTriple) };
        Target { triple, cpu: CString::default(), features: CString::default() }
    }

    /// Triple, processor and features, as C wants them.
    pub(crate) fn c_strings(&self) -> (&CStr, &CStr, &CStr) {
        (&self.triple, &self.cpu, &self.features)
    }

    fn detect() -> Target {
        // SAFETY: one of the functions that `query_host` is for.
        let cpu = unsafe { query_host(LLVMGetHostCPUName) };
        // SAFETY: as above.
        let features = unsafe { query_host(LLVMGetHostCPUFeatures) };
        Target { cpu, features, ..Target::host_triple_only() }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("triple", &self.triple).field("cpu", &self.cpu).finish_non_exhaustive()
    }
}

/// What LLVM says of the host.
///
/// # Safety
/// `ask` asks nothing of its caller and gives a text that has to be given back by `LLVMDisposeMessage`.
unsafe fn query_host(ask: unsafe extern "C" fn() -> *mut c_char) -> CString {
    // SAFETY: the caller's promise.
    let text = unsafe { ask() };
    // SAFETY: the caller's promise.
    let text = unsafe { take_message(text) };
    CString::new(text).expect("a text that came from C holds no NUL")
}

/// Has LLVM know the native target, the first time this is called.
pub(crate) fn register() -> Result<(), Error> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if *REGISTERED.get_or_init(arch::register_native) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Target, "this LLVM has no code generator for the host"))
    }
}

/// How hard the code generator tries: instruction selection, scheduling, register allocation. What the
/// optimiser does before is said by a pass pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OptLevel {
    /// Quick to compile.
    None,
    /// A little effort.
    Less,
    /// LLVM's usual effort.
    #[default]
    Default,
    /// All it can.
    Aggressive,
}
