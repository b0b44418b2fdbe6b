//! Target of generated code: triple, processor and features.
//!
//! Only the native target and its assembly printer are registered with LLVM, once per process. The
//! host's processor and features are also detected once per process. With the feature
//! `cross-targets`, other targets are registered when a triple first names them.

use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::sync::OnceLock;

use llvm_sys::target_machine::{LLVMGetDefaultTargetTriple, LLVMGetHostCPUFeatures, LLVMGetHostCPUName};

use crate::arch;
use crate::error::{Error, ErrorKind, c_name, take_message};
use crate::out_of_memory::InsideLlvm;

#[cfg(feature = "cross-targets")]
mod cross;
#[cfg(test)]
mod tests;

/// Triple, processor and features that code is generated for.
///
/// [`Target::host`] is this machine with all its features. Naming an older processor or fewer
/// features gives code that also runs on older machines.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target {
    triple: CString,
    cpu: CString,
    features: CString,
}

impl Target {
    /// This machine: its processor with all features.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if this LLVM was built without the host's architecture,
    /// [`ErrorKind::OutOfMemory`] if there is no memory to detect the host.
    pub fn host() -> Result<Target, Error> {
        static HOST: OnceLock<Target> = OnceLock::new();
        register()?;
        if let Some(host) = HOST.get() {
            return Ok(host.clone());
        }
        let detected = Target::detect()?;
        Ok(HOST.get_or_init(|| detected).clone())
    }

    /// Any machine with this triple, such as `aarch64-linux-gnu`: the oldest processor of its
    /// architecture. Other architectures than the host's need the feature `cross-targets`.
    ///
    /// # Errors
    /// [`ErrorKind::Name`] if the triple contains a NUL character. Creating a compiler fails if
    /// LLVM has no back end for the triple here.
    pub fn of_triple(triple: &str) -> Result<Target, Error> {
        #[cfg(feature = "cross-targets")]
        cross::register(triple);
        Ok(Target { triple: c_name(triple)?, cpu: CString::default(), features: CString::default() })
    }

    /// Any machine like this one: the oldest processor of its architecture.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`] if there is no memory for the triple.
    pub fn any_host() -> Result<Target, Error> {
        Target::host_triple_only()
    }

    /// The same target with another processor. `llc -mcpu=help` lists the names.
    ///
    /// # Errors
    /// [`ErrorKind::Name`] if the name contains a NUL character.
    pub fn with_cpu(mut self, cpu: &str) -> Result<Target, Error> {
        self.cpu = c_name(cpu)?;
        Ok(self)
    }

    /// The same target with other features, in the syntax `"+avx2,-fma"`. The empty text means the
    /// features that the processor's name implies.
    ///
    /// # Errors
    /// [`ErrorKind::Name`] if the text contains a NUL character.
    pub fn with_features(mut self, features: &str) -> Result<Target, Error> {
        // LLVM 23 reads the first character of each feature, even of an empty one.
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

    /// The host without processor and features, which linking does not need. Detecting them takes a
    /// quarter of a millisecond on virtual machines, where the hypervisor executes `cpuid`.
    pub(crate) fn host_triple_only() -> Result<Target, Error> {
        // SAFETY: the function meets the requirements of `query_host`.
        let triple = unsafe { query_host(LLVMGetDefaultTargetTriple) }?;
        Ok(Target { triple, cpu: CString::default(), features: CString::default() })
    }

    /// Triple, processor and features as C strings.
    pub(crate) fn c_strings(&self) -> (&CStr, &CStr, &CStr) {
        (&self.triple, &self.cpu, &self.features)
    }

    fn detect() -> Result<Target, Error> {
        // SAFETY: the function meets the requirements of `query_host`.
        let cpu = unsafe { query_host(LLVMGetHostCPUName) }?;
        // SAFETY: as above.
        let features = unsafe { query_host(LLVMGetHostCPUFeatures) }?;
        Ok(Target { cpu, features, ..Target::host_triple_only()? })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("triple", &self.triple).field("cpu", &self.cpu).finish_non_exhaustive()
    }
}

/// Calls one of LLVM's functions that describe the host.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`] if the result is null.
///
/// # Safety
/// `query` has no preconditions and returns null or a text for `LLVMDisposeMessage`.
unsafe fn query_host(query: unsafe extern "C" fn() -> *mut c_char) -> Result<CString, Error> {
    let _inside = InsideLlvm::enter();
    // SAFETY: guaranteed by the caller.
    let text = unsafe { query() };
    if text.is_null() {
        return Err(Error::out_of_memory());
    }
    // SAFETY: guaranteed by the caller.
    let text = unsafe { take_message(text) };
    Ok(CString::new(text).expect("a C string contains no NUL"))
}

/// Registers the native target with LLVM at the first call.
pub(crate) fn register() -> Result<(), Error> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let _inside = InsideLlvm::enter();
    if *REGISTERED.get_or_init(arch::register_native) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Target, "this LLVM has no code generator for the host"))
    }
}

/// Effort of the code generator: instruction selection, scheduling, register allocation. The passes
/// before the code generator are a separate choice, `Passes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OptLevel {
    /// Fast compilation.
    None,
    /// Little effort.
    Less,
    /// LLVM's usual effort.
    #[default]
    Default,
    /// Maximum effort.
    Aggressive,
}
