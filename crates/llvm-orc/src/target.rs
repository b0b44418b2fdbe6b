//! The machine that code is made for: its triple, processor and features, and LLVM's target machines for it.
//!
//! Only the native target and its assembly printer are registered with LLVM, once a process. What the host is
//! is asked once, too: the text of its features is the same for every compiler.

use std::ffi::{CStr, CString};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use llvm_sys::target::{LLVMDisposeTargetData, LLVMTargetDataRef};
use llvm_sys::target_machine::{
    LLVMCodeGenOptLevel, LLVMCodeModel, LLVMCreateTargetDataLayout, LLVMCreateTargetMachine,
    LLVMDisposeTargetMachine, LLVMGetDefaultTargetTriple, LLVMGetHostCPUFeatures, LLVMGetHostCPUName,
    LLVMGetTargetFromTriple, LLVMOpaqueTargetMachine, LLVMRelocMode, LLVMTargetMachineRef, LLVMTargetRef,
};

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
        static HOST: OnceLock<Option<Target>> = OnceLock::new();
        HOST.get_or_init(|| register_native().then(Target::detect))
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::Target, "this LLVM has no code generator for the host"))
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
        self.features = c_name(features)?;
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

    fn detect() -> Target {
        // SAFETY: asks nothing of its caller.
        let triple = unsafe { LLVMGetDefaultTargetTriple() };
        // SAFETY: as above.
        let cpu = unsafe { LLVMGetHostCPUName() };
        // SAFETY: as above.
        let features = unsafe { LLVMGetHostCPUFeatures() };
        let [triple, cpu, features] = [triple, cpu, features].map(|text| {
            // SAFETY: each is a text that is ours to give back.
            let text = unsafe { take_message(text) };
            CString::new(text).expect("a text that came from C holds no NUL")
        });
        Target { triple, cpu, features }
    }

    fn llvm(&self) -> Result<LLVMTargetRef, Error> {
        let mut target = ptr::null_mut();
        let mut message = ptr::null_mut();
        // SAFETY: the triple is ended by NUL and both results are places of ours.
        let failed = unsafe { LLVMGetTargetFromTriple(self.triple.as_ptr(), &mut target, &mut message) };
        if failed != 0 {
            // SAFETY: on failure LLVM leaves a text here that is ours to give back.
            return Err(Error::new(ErrorKind::Target, unsafe { take_message(message) }));
        }
        Ok(target)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("triple", &self.triple).field("cpu", &self.cpu).finish_non_exhaustive()
    }
}

/// Registers the native target and its assembly printer, and says whether there is one.
///
/// The functions of the architecture are called by name: llvm-sys's `LLVM_InitializeNativeTarget` lies in one
/// object file with its registration of *all* targets, which would link every one of them, with its static
/// constructors, into the program.
#[cfg(target_arch = "x86_64")]
fn register_native() -> bool {
    use llvm_sys::target as t;
    // SAFETY: registers static tables of LLVM's; the `OnceLock` around the only call lets one thread do it.
    unsafe { t::LLVMInitializeX86TargetInfo() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86Target() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86TargetMC() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86AsmPrinter() };
    true
}

/// As above, for the machines that this was not measured on.
#[cfg(not(target_arch = "x86_64"))]
fn register_native() -> bool {
    use llvm_sys::target as t;
    // SAFETY: registers static tables of LLVM's; the `OnceLock` around the only call lets one thread do it.
    let no_target = unsafe { t::LLVM_InitializeNativeTarget() };
    // SAFETY: as above.
    let no_printer = unsafe { t::LLVM_InitializeNativeAsmPrinter() };
    no_target == 0 && no_printer == 0
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

impl OptLevel {
    fn llvm(self) -> LLVMCodeGenOptLevel {
        match self {
            OptLevel::None => LLVMCodeGenOptLevel::LLVMCodeGenLevelNone,
            OptLevel::Less => LLVMCodeGenOptLevel::LLVMCodeGenLevelLess,
            OptLevel::Default => LLVMCodeGenOptLevel::LLVMCodeGenLevelDefault,
            OptLevel::Aggressive => LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
        }
    }
}

/// LLVM's machine for a [`Target`], with its data layout.
///
/// Code is position independent with the small model: JITLink gives calls that reach far a stub or an entry in
/// a table of addresses, so functions of the process, gigabytes away, can be called.
pub(crate) struct Machine {
    raw: NonNull<LLVMOpaqueTargetMachine>,
    layout: LLVMTargetDataRef,
}

impl Machine {
    pub(crate) fn new(target: &Target, level: OptLevel) -> Result<Machine, Error> {
        let llvm = target.llvm()?;
        // SAFETY: `llvm` is a registered target and the texts are ended by NUL.
        let raw = unsafe {
            LLVMCreateTargetMachine(
                llvm,
                target.triple.as_ptr(),
                target.cpu.as_ptr(),
                target.features.as_ptr(),
                level.llvm(),
                LLVMRelocMode::LLVMRelocPIC,
                LLVMCodeModel::LLVMCodeModelSmall,
            )
        };
        let raw = NonNull::new(raw).ok_or_else(|| {
            Error::new(ErrorKind::Target, format!("no target machine for {}", target.triple()))
        })?;
        // SAFETY: the machine was just made.
        let layout = unsafe { LLVMCreateTargetDataLayout(raw.as_ptr()) };
        Ok(Machine { raw, layout })
    }

    pub(crate) fn raw(&self) -> LLVMTargetMachineRef {
        self.raw.as_ptr()
    }

    pub(crate) fn layout(&self) -> LLVMTargetDataRef {
        self.layout
    }

    /// Gives up LLVM's machine to one who disposes of it.
    pub(crate) fn into_raw(self) -> LLVMTargetMachineRef {
        let machine = ManuallyDrop::new(self);
        // SAFETY: made by `new`, and used no more.
        unsafe { LLVMDisposeTargetData(machine.layout) };
        machine.raw()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: made by `new`, which nobody else disposes of; the machine does not refer to it.
        unsafe { LLVMDisposeTargetData(self.layout) };
        // SAFETY: made by `new`; what is built upon the machine is dropped before by its owner.
        unsafe { LLVMDisposeTargetMachine(self.raw.as_ptr()) };
    }
}

impl Target {
    pub(crate) fn triple_c(&self) -> &CStr {
        &self.triple
    }
}
