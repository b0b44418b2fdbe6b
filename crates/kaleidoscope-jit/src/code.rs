//! Compiled code and slots: the place where this crate tells the machine "this address is a
//! function of n doubles".
//!
//! An address says nothing about what lies behind it, so this file is unsafe. The promises:
//!
//! 1. The code of a [`CompiledCode`] follows the C calling convention for its kind and arity,
//!    keeps callee-saved registers, and stays at its address until the `CompiledCode` is dropped.
//!    The producers vouch for that: code generators ([`kaleidoscope_ir::compile::CodeGenerator`]),
//!    which get the arity from the same IR function, and host stubs.
//! 2. A slot points only to code of its own function, and a function has one arity for its whole
//!    life.
//! 3. Code is dropped only when its slot points elsewhere and no evaluation is inside
//!    ([`crate::reclaim`]), or when it never had a slot and its single call has returned.
//! 4. The slot address that a code generator gets for a function id is the address of that
//!    function's slot, and the arity it gets is the function's.
//! 5. Generated code calls functions only through stubs and slots. A self tail call also continues
//!    at the address that `Core::on_trip` returns: of optimized code of the same version, which is
//!    not freed because the thread is inside.
//! 6. A [`Callable`] is called only inside the engine that made it: there its stub is valid, and
//!    the runtime is its own.
//! 7. The OSR cell of a loop contains only the address of OSR code for that loop, compiled from
//!    the same IR function as the code that contains the loop: code for `fn(*mut f64) -> f64`, over
//!    as many doubles as the function has variables. It is retired like other code, and the cells
//!    live as long as the code that reads them.
//! 8. A [`KernelCode`], [`OsrCode`] or [`FunctionCode`] is looked up inside the engine and used
//!    before that scope is left, so its code is not freed. Kernels are code for
//!    `fn(*mut KernelTable) -> f64`, over as many columns, results and states as the function has
//!    in the kernel's form.
//! 9. The address that a code generator gets for a host variable is that of the double of a
//!    [`crate::Variable`], which the table keeps as long as the engine exists, and every access to
//!    it is atomic.
#![allow(unsafe_code)]

use crate::batch::Rows;
use crate::code_state::Versioned;
use crate::event::{CodeName, Tier};
use crate::validity::{Dependency, Validity};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{Code, CodeKind, CompileTimes, KernelForm, KernelKind, ScalarColumns, Unit};
use kaleidoscope_native::{CodeAddress, GuardedScope, ShownObject, Stub, StubId, Trap};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The stub of a function: the two have the same number.
pub(crate) fn stub_id(function: FunctionId) -> StubId {
    StubId::new(u32::try_from(function.index()).expect("ids are 32 bits wide"))
}

/// The function of a stub.
pub(crate) fn function_id(stub: StubId) -> FunctionId {
    FunctionId::new(u32::try_from(stub.index()).expect("stubs are numbered in 32 bits"))
}

/// Compiled code of one version of a function, or of a top-level expression.
pub(crate) struct CompiledCode {
    address: CodeAddress,
    arity: u32,
    /// What a kernel reads and writes. `None` for other code, which is nearly all.
    shape: Option<Box<KernelShape>>,
    pub(crate) info: CodeInfo,
    /// The functions that the code has inside: inlined ones, maths functions that it calls
    /// directly, and a kernel's own. Redefining one of them invalidates the code.
    pub(crate) dependencies: Box<[Dependency]>,
    /// Whether the code is valid. `None` if it has no dependencies.
    pub(crate) validity: Option<Arc<Validity>>,
    /// Keeps the code in memory; dropping it frees the code.
    _keep: Box<dyn Any + Send>,
}

/// What is known about compiled code, for events and traces.
#[derive(Clone, Debug)]
pub(crate) struct CodeInfo {
    /// The function; none for a top-level expression.
    pub(crate) function: Option<FunctionId>,
    pub(crate) name: CodeName,
    pub(crate) origin: CodeOrigin,
    /// The names of the functions inlined into it.
    pub(crate) inlined: Arc<[Arc<str>]>,
}

/// Where code comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodeOrigin {
    /// A code generator.
    Compiled { tier: Tier, kind: CodeKind, times: CompileTimes, bytes: usize },
    /// It existed: a host function, or a function of the maths library.
    Provided,
    /// The interpreter, behind a host stub.
    Interpreted,
}

impl CodeInfo {
    pub(crate) fn version(&self) -> u32 {
        self.name.version
    }

    /// A whole function, OSR code, or a kernel.
    pub(crate) fn kind(&self) -> CodeKind {
        match self.origin {
            CodeOrigin::Compiled { kind, .. } => kind,
            CodeOrigin::Provided | CodeOrigin::Interpreted => CodeKind::Function,
        }
    }
}

impl CompiledCode {
    /// Code of this unit from a code generator.
    pub(crate) fn new(
        info: CodeInfo,
        unit: &Unit,
        dependencies: Box<[Dependency]>,
        validity: Option<Arc<Validity>>,
        code: Code,
    ) -> Self {
        let (address, function) = (CodeAddress::new(code.address), &unit.function);
        let shape = match info.kind() {
            CodeKind::Kernel(_, form) => Some(Box::new(KernelShape::new(form, unit))),
            CodeKind::Function | CodeKind::Osr(_) => {
                assert_eq!(function.n_results, 1, "only kernels have several results");
                None
            }
        };
        // Debuggers forget the code before it is freed: fields are dropped in order.
        let keep: Box<dyn Any + Send> = match code.debug_object {
            Some(object) => Box::new((ShownObject::show(object.into()), code.keep)),
            None => code.keep,
        };
        Self { address, arity: function.n_params, shape, info, dependencies, validity, _keep: keep }
    }

    /// Code that exists as long as the engine: a host function, or a function of the maths library.
    pub(crate) fn provided(function: FunctionId, name: CodeName, arity: u32, address: CodeAddress) -> Self {
        let info = CodeInfo {
            function: Some(function),
            name,
            origin: CodeOrigin::Provided,
            inlined: Arc::default(),
        };
        let (dependencies, keep) = (Box::default(), Box::new(()));
        Self { address, arity, shape: None, info, dependencies, validity: None, _keep: keep }
    }

    /// Where the code begins.
    pub(crate) fn address(&self) -> CodeAddress {
        self.address
    }

    /// A whole function, OSR code, or a kernel.
    pub(crate) fn kind(&self) -> CodeKind {
        self.info.kind()
    }

    /// Whether this code depends on the function.
    pub(crate) fn depends_on(&self, function: FunctionId) -> bool {
        self.dependencies.iter().any(|&(id, _)| id == function)
    }

    /// Calls the code, guarded; it must be a whole function. Nothing frees it meanwhile, because
    /// the caller borrows it.
    pub(crate) fn call(&self, scope: &GuardedScope<'_>, args: &[f64]) -> Result<f64, Trap> {
        assert_eq!(self.kind(), CodeKind::Function, "only a whole function takes and returns doubles");
        assert!(args.len() == self.arity as usize, "a function is called with its own arity");
        // SAFETY: promise 1, for the kind and arity just checked; `self` keeps the code.
        unsafe { scope.call(self.address, args) }
    }

    /// The code as a function (promise 8).
    pub(crate) fn function(&self) -> FunctionCode {
        assert_eq!(self.kind(), CodeKind::Function, "only a whole function takes and returns doubles");
        FunctionCode { address: self.address, arity: self.arity }
    }

    /// The code as OSR code over this many variables (promises 7 and 8).
    pub(crate) fn osr(&self, n_variables: usize) -> OsrCode {
        assert!(self.kind().osr_loop().is_some(), "only OSR code is kept for a loop");
        OsrCode { address: self.address, n_variables }
    }

    /// The code as a kernel (promise 8), with the number of rows between two checks for interrupts.
    pub(crate) fn kernel(&self, rows_per_call: usize) -> KernelCode {
        let (CodeKind::Kernel(kind, _), Some(shape)) = (self.kind(), self.shape.as_deref()) else {
            unreachable!("only kernels are kept as such")
        };
        let (address, version) = (self.address, self.info.version());
        KernelCode { address, shape: *shape, version, kind, rows_per_call, validity: self.validity.clone() }
    }

    /// Whether the interpreter runs the function.
    pub(crate) fn is_interpreted(&self) -> bool {
        matches!(self.info.origin, CodeOrigin::Interpreted)
    }

    /// Whether the address is in this code.
    pub(crate) fn contains(&self, address: CodeAddress) -> bool {
        let CodeOrigin::Compiled { bytes, .. } = self.info.origin else { return false };
        // A return address may be the one right behind the code.
        (self.address.get()..=self.address.get() + bytes).contains(&address.get())
    }
}

impl Versioned for CompiledCode {
    fn address(&self) -> CodeAddress {
        self.address
    }

    fn version(&self) -> u32 {
        self.info.version()
    }
}

impl fmt::Debug for CompiledCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledCode")
            .field("info", &self.info)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A function to call: its id, its address for its whole life, and its arity. From
/// [`crate::Jit::callable`].
#[derive(Clone, Copy, Debug)]
pub struct Callable {
    engine: EngineId,
    function: FunctionId,
    address: CodeAddress,
    /// The address of the function's slot.
    slot: usize,
    arity: u32,
}

/// Distinguishes the engines of a process, dropped ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineId(u64);

impl EngineId {
    /// An id that no other engine has.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Callable {
    /// The function.
    pub fn function(self) -> FunctionId {
        self.function
    }

    /// The number of arguments.
    pub fn arity(self) -> u32 {
        self.arity
    }

    /// The address of the function's stub: a C function of [`arity`](Self::arity) doubles, valid
    /// as long as the engine. A call of it is a *raw call*, without guard: it runs on the caller's
    /// stack, cannot be interrupted, and ends the process when it reaches a function without code.
    pub fn address(self) -> usize {
        self.address.get()
    }

    /// Whether the function's slot leads to the lazy entry: a call would have to compile first.
    #[inline]
    pub(crate) fn is_lazy(self, engine: EngineId) -> bool {
        self.check_engine(engine);
        // SAFETY: `Slot::callable` took both addresses from one stub, which the engine keeps
        // (promise 6).
        unsafe { Stub::is_lazy(self.address, self.slot) }
    }

    /// Whether the function belongs to the engine with this id.
    #[inline]
    pub(crate) fn belongs_to(self, engine: EngineId) -> bool {
        self.engine == engine
    }

    /// Panics if the function belongs to another engine.
    #[inline]
    pub(crate) fn check_engine(self, engine: EngineId) {
        assert!(self.belongs_to(engine), "a function is called in its own engine");
    }

    /// Calls the function, guarded, inside the engine with this id.
    ///
    /// # Panics
    /// If the function belongs to another engine (promise 6), or takes another number of arguments.
    ///
    /// Inline, because each call from Rust passes here and should cost little more than the
    /// crossing.
    #[inline]
    pub(crate) fn call(self, engine: EngineId, scope: &GuardedScope<'_>, args: &[f64]) -> Result<f64, Trap> {
        self.check_engine(engine);
        assert!(args.len() == self.arity as usize, "a function is called with its own arity");
        // SAFETY: promises 1, 2 and 6, for the arity just checked.
        unsafe { scope.call(self.address, args) }
    }
}

/// A function's slot and stub. The slot points to the lazy-compile entry or to code of the
/// function.
#[derive(Debug)]
pub(crate) struct Slot(Stub);

impl Slot {
    pub(crate) fn new(stub: Stub) -> Self {
        Self(stub)
    }

    /// The function of this slot, to be called; it has this arity (promise 4).
    pub(crate) fn callable(&self, engine: EngineId, arity: u32) -> Callable {
        let (address, slot) = (self.0.address(), self.0.slot_address());
        Callable { engine, function: function_id(self.0.id()), address, slot, arity }
    }

    /// The address of the slot, where generated code finds the function's current entry.
    pub(crate) fn address(&self) -> usize {
        self.0.slot_address()
    }

    /// Points the slot to code of its function. The caller keeps the code until the slot points
    /// elsewhere (promise 3).
    ///
    /// # Panics
    /// If the code belongs to another function (promise 2) or is no whole function.
    pub(crate) fn point_to(&self, code: &CompiledCode) {
        let of_code = (code.info.function, code.kind());
        let expected = (Some(function_id(self.0.id())), CodeKind::Function);
        assert_eq!(of_code, expected, "promise 2: a slot points to code of its own function");
        // SAFETY: promises 1, 2 and 3.
        unsafe { self.0.redirect(code.address) };
    }

    /// Points the slot to the lazy-compile entry.
    pub(crate) fn reset(&self) {
        self.0.redirect_to_lazy_entry();
    }
}

/// Code of one version of a function, to be called whatever the function's slot points to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FunctionCode {
    address: CodeAddress,
    arity: u32,
}

impl FunctionCode {
    /// Where the code begins.
    pub(crate) fn address(self) -> CodeAddress {
        self.address
    }

    /// Calls the code, guarded, inside the engine where it was looked up (promise 8).
    pub(crate) fn call(self, scope: &GuardedScope<'_>, args: &[f64]) -> Result<f64, Trap> {
        assert!(args.len() == self.arity as usize, "a function is called with its own arity");
        // SAFETY: promises 1 and 8, for the arity just checked.
        unsafe { scope.call(self.address, args) }
    }
}

/// OSR code, to be entered by the interpreter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OsrCode {
    address: CodeAddress,
    n_variables: usize,
}

impl OsrCode {
    /// Runs the loop from the beginning of an iteration on (promise 8). Returns whether it has
    /// ended; otherwise the code was invalidated, and another iteration is about to begin.
    pub(crate) fn run(self, scope: &GuardedScope<'_>, variables: &mut [f64]) -> Result<bool, Trap> {
        assert!(variables.len() == self.n_variables, "there is a place for each variable");
        // SAFETY: promises 1, 7 and 8; the places are borrowed for writing.
        let ended = unsafe { scope.call_with_pointer(self.address, variables.as_mut_ptr()) }?;
        Ok(ended != 0.0)
    }
}

/// The number of columns, results and states that a kernel reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelShape {
    n_columns: usize,
    n_outs: usize,
    n_states: usize,
    scalars: ScalarColumns,
}

impl KernelShape {
    /// The shape of a kernel of the unit.
    ///
    /// # Panics
    /// If the function has fewer parameters than states.
    pub(crate) fn new(form: KernelForm, unit: &Unit) -> Self {
        let function = &unit.function;
        let n_states = form.n_states(function);
        let n_columns = (function.n_params as usize).checked_sub(n_states);
        let n_columns = n_columns.expect("states are parameters");
        Self { n_columns, n_outs: form.n_outs(function), n_states, scalars: unit.scalars }
    }
}

/// A kernel: its address, its shape, and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct KernelCode {
    address: CodeAddress,
    shape: KernelShape,
    version: u32,
    kind: KernelKind,
    rows_per_call: usize,
    validity: Option<Arc<Validity>>,
}

impl KernelCode {
    /// The version of the function that it was compiled from.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Computes rows, until none is left or the kernel is invalid. After a trap in a scan or fold,
    /// the rows before it are done; in a map, some results are written.
    pub(crate) fn run(&self, scope: &GuardedScope<'_>, rows: &mut Rows<'_>) -> Result<(), Trap> {
        let Self { shape, .. } = *self;
        assert_eq!(rows.columns.len(), shape.n_columns, "there is a column for each parameter");
        assert_eq!(rows.outs.len(), shape.n_outs, "there is room for each result");
        assert_eq!(rows.states.len(), shape.n_states, "there is room for each state");
        assert_eq!(rows.scalars(), shape.scalars, "the kernel is for columns with these scalars");
        let (mut columns, mut outs) = (Vec::with_capacity(shape.n_columns), Vec::with_capacity(shape.n_outs));
        while rows.n_left() > 0 {
            if self.validity.as_ref().is_some_and(|validity| !validity.is_valid()) {
                break;
            }
            // Nothing interrupts a plain kernel, so it gets few rows at a time.
            let n_rows = match self.kind {
                KernelKind::Plain => rows.n_left().min(self.rows_per_call),
                KernelKind::Guarded => rows.n_left(),
            };
            let mut table = rows.kernel_table(n_rows, &mut columns, &mut outs);
            let place = &raw mut table;
            match self.kind {
                KernelKind::Guarded => {
                    // SAFETY: promise 8. The counts and scalars are checked above, there is a row,
                    // and `Rows` has as many of each column that is no scalar and of each result,
                    // which it borrows for writing.
                    let done = unsafe { scope.call_with_pointer(self.address, place.cast_const()) };
                    rows.advance(done.as_ref().map_or(table.n_done, |n_rows| *n_rows as usize));
                    done?;
                }
                KernelKind::Plain => {
                    // SAFETY: as above; `KernelKind::Plain` promises what this call requires.
                    unsafe { scope.call_unguarded(self.address, place.cast_const()) }?;
                    rows.advance(n_rows);
                }
            }
        }
        Ok(())
    }
}
