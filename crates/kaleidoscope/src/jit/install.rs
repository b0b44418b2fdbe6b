//! Joins code to stubs: the one place of this crate that says to the machine "here is a function of n doubles".
//!
//! Unsafe, because an address says nothing about what lies behind it. The promises:
//!
//! 1. The code of a [`Body`] follows the C calling convention for `arity` doubles returning a double, leaves callee-saved
//!    registers as it found them, and stays where it is until the body's `code` is dropped. Whoever makes a body
//!    vouches for that: code generators (see [`kaleidoscope_ir::compile::CodeGenerator`]), which get the arity from the same resolved
//!    function, and host stubs.
//! 2. A body is put only behind the stub of its own function, and a function has one arity for ever.
//! 3. A body is dropped only when its stub points elsewhere and no evaluation is inside ([`super::epochs`]), or when it
//!    never had a stub and the one call of it has returned.
//! 4. The slot that a code generator is given for the function of a number is the slot of the stub of that number
//!    ([`Jit::declare`]), and the arity it is given is the one that the function has for ever.
//! 5. Calls of generated code go through stubs and slots only.
//! 6. A [`Callable`] is called only inside of the engine that made it: there its stub is valid, and the runtime its own.
//! 7. In the cell of a loop's better code there is only the address of a body made for the rest of that very loop, of the same
//!    resolved function as the code that counts there: code for `fn(*mut f64)`, over as many doubles as the function has variables.
//!    It is retired like any other body, and the counters live as long as the body that counts.
//! 8. A [`RowsCode`] is got inside of the engine that has it, and run before that is left: the body is not freed until then. It is
//!    code for `fn(*const KernelTable)`, over as many columns as the function has parameters.
//! 9. The address that a code generator is given for a variable of the host is that of the double of a [`crate::Variable`], which the
//!    program keeps as long as the engine, and all access to which is atomic.
#![allow(unsafe_code)]

use super::state::Entry;
use super::{CodeAddress, Function, Heat, HostId, Jit, Source, StubId, Trap};
use crate::event::{BodyName, Tier};
use crate::policy::ROWS_BETWEEN_STOPS;
use kaleidoscope_ir::compile::{Code, CodeKind, CompileTimes, KernelKind, KernelTable};
use kaleidoscope_native::{GuardedScope, Runtime, Stub};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Compiled code of one function, or of a top-level expression.
pub(crate) struct Body {
    address: CodeAddress,
    arity: u32,
    pub(crate) facts: BodyFacts,
    /// What is known of quick code.
    heat: Option<Arc<Heat>>,
    /// The functions that the code stands for besides its own (a maths function made into an instruction), with the
    /// version it has of them.
    pub(crate) carries: Box<[(StubId, u32)]>,
    /// Keeps the code in memory; dropping it frees the code.
    _code: Box<dyn Any + Send>,
}

/// Something to be called: where it is, and how many arguments it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callable {
    address: CodeAddress,
    arity: u32,
}

impl Callable {
    /// The function of this stub, for ever, whatever is defined behind it; it has this arity (promise 4).
    pub(super) fn of_stub(stub: &Stub, arity: u32) -> Self {
        Self { address: stub.address(), arity }
    }

    /// How many arguments it takes.
    pub(crate) fn arity(self) -> u32 {
        self.arity
    }

    /// Where it is.
    pub(crate) fn address(self) -> CodeAddress {
        self.address
    }

    /// Calls it, guarded. Errors that end the evaluation early come back as a trap.
    ///
    /// Inline, because a call from Rust passes here and should cost little more than the crossing.
    #[inline]
    pub(super) fn call(self, scope: &GuardedScope<'_>, args: &[f64]) -> Result<f64, Trap> {
        assert!(args.len() == self.arity as usize, "a function is called with its own arity");
        // SAFETY: promises 1, 2 and 6, for the arity just checked; who holds a body's `Callable` borrows the body.
        unsafe { scope.call(self.address, args) }
    }
}

/// Code for rows: where it is, how many columns it takes, and how it is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowsCode {
    address: CodeAddress,
    arity: u32,
    version: u32,
    rows: KernelKind,
}

impl RowsCode {
    /// The version of the function that it was made of.
    pub(crate) fn version(self) -> u32 {
        self.version
    }

    /// Computes the rows. When that ends in a trap, some results have been written.
    pub(super) fn run(
        self,
        scope: &GuardedScope<'_>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), Trap> {
        assert!(columns.len() == self.arity as usize, "there is a column for each parameter");
        assert!(columns.iter().all(|column| column.len() == out.len()), "columns are as long as the results");
        // What nothing stops is done little by little.
        let most = if self.rows == KernelKind::Plain { ROWS_BETWEEN_STOPS } else { out.len().max(1) };
        let mut starts: Vec<*const f64> = Vec::with_capacity(columns.len());
        for (nth, out) in out.chunks_mut(most).enumerate() {
            starts.clear();
            starts.extend(columns.iter().map(|column| column[nth * most..].as_ptr()));
            let table = KernelTable { columns: starts.as_ptr(), out: out.as_mut_ptr(), n_rows: out.len() };
            match self.rows {
                // SAFETY: promise 8; the columns have been checked, there is a row, and the results are borrowed for writing.
                KernelKind::Guarded => unsafe { scope.call_with_pointer(self.address, &raw const table) },
                // SAFETY: as above. What `KernelKind::Plain` promises is what this asks.
                KernelKind::Plain => unsafe { scope.call_unguarded(self.address, &raw const table) },
            }?;
        }
        Ok(())
    }
}

/// What may be told of a body.
#[derive(Clone, Debug)]
pub(crate) struct BodyFacts {
    /// The function; none for a top-level expression.
    pub(crate) function: Option<StubId>,
    pub(crate) name: BodyName,
    pub(crate) made: Made,
    /// The functions whose bodies are part of it.
    pub(crate) inlined: Arc<[Arc<str>]>,
}

/// How a body came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Made {
    /// By a code generator.
    Compiled { tier: Tier, part: CodeKind, times: CompileTimes, bytes: usize },
    /// It was there: a function of the host or of the maths library.
    Provided,
}

impl BodyFacts {
    pub(crate) fn version(&self) -> u32 {
        self.name.version
    }

    /// How much of its function it is.
    pub(crate) fn part(&self) -> CodeKind {
        match self.made {
            Made::Compiled { part, .. } => part,
            Made::Provided => CodeKind::Function,
        }
    }
}

impl Body {
    /// Code of this arity, with the functions that it carries.
    pub(crate) fn new(facts: BodyFacts, arity: u32, carries: Box<[(StubId, u32)]>, code: Code) -> Self {
        Self { address: CodeAddress::new(code.address), arity, facts, heat: None, carries, _code: code.keep }
    }

    /// A function that is there as long as the engine: of the host, or of the maths library.
    pub(crate) fn provided(function: StubId, name: BodyName, arity: u32, address: CodeAddress) -> Self {
        let facts =
            BodyFacts { function: Some(function), name, made: Made::Provided, inlined: Arc::default() };
        Self { address, arity, facts, heat: None, carries: Box::default(), _code: Box::new(()) }
    }

    /// The same with what is known of quick code: the counters that it was made with.
    pub(crate) fn with_heat(self, heat: Arc<Heat>) -> Self {
        Self { heat: Some(heat), ..self }
    }

    pub(super) fn heat(&self) -> Option<&Arc<Heat>> {
        self.heat.as_ref()
    }

    pub(super) fn address(&self) -> CodeAddress {
        self.address
    }

    /// How much of its function it is.
    pub(super) fn part(&self) -> CodeKind {
        self.facts.part()
    }

    /// The body as something to be called, as long as it is not dropped.
    pub(super) fn callable(&self) -> Callable {
        assert_eq!(self.part(), CodeKind::Function, "a part of a function is no function of doubles");
        Callable { address: self.address, arity: self.arity }
    }

    /// The body as code for rows, as promise 8 says.
    pub(super) fn rows(&self) -> RowsCode {
        let CodeKind::Kernel(rows) = self.part() else { unreachable!("only code for rows is kept as such") };
        RowsCode { address: self.address, arity: self.arity, version: self.facts.version(), rows }
    }

    /// Whether the address is in this code, or in what its loops were given.
    pub(super) fn contains_with_loops(&self, address: CodeAddress) -> bool {
        let mut contains = self.contains(address);
        if let Some(heat) = &self.heat {
            heat.for_each_better(|_, body| contains |= body.contains(address));
        }
        contains
    }

    /// Whether the address is in this code.
    fn contains(&self, address: CodeAddress) -> bool {
        let Made::Compiled { bytes, .. } = self.facts.made else { return false };
        // A return address may be that right behind the code.
        (self.address.get()..=self.address.get() + bytes).contains(&address.get())
    }
}

impl Entry for Body {
    fn code(&self) -> CodeAddress {
        self.address
    }

    fn version(&self) -> u32 {
        self.facts.version()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("facts", &self.facts)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// Puts the body behind the stub, if it is the one that is waited for: from now on calls go straight there.
    pub(super) fn install(&mut self, body: Box<Body>) -> Result<CodeAddress, Box<Body>> {
        assert_eq!(
            body.facts.function,
            Some(self.stub.id()),
            "promise 2: a body belongs behind its own stub"
        );
        let code = self.state.on_body(body)?;
        // SAFETY: promises 1 and 2; the state keeps the body until `replace` has pointed the stub elsewhere.
        unsafe { self.stub.redirect(code) };
        Ok(code)
    }

    /// Puts a better body behind the stub, if its version is the one that is there.
    pub(super) fn install_better(&mut self, body: Box<Body>) -> Result<(), Box<Body>> {
        assert_eq!(
            (body.facts.function, body.part()),
            (Some(self.stub.id()), CodeKind::Function),
            "promise 2: a body belongs behind its own stub"
        );
        let code = self.state.on_better(body)?;
        // SAFETY: as in `install`.
        unsafe { self.stub.redirect(code) };
        Ok(())
    }

    /// Points the stub back to the first body. Returns the better one, to be retired (promise 3).
    pub(super) fn go_back(&mut self) -> Option<Body> {
        let (better, first) = self.state.on_worse()?;
        // SAFETY: as in `install`: the first body has been there all along.
        unsafe { self.stub.redirect(first) };
        Some(*better)
    }

    /// Points the stub back to the lazy entry. Returns the bodies that stood behind it, to be retired (promise 3).
    pub(super) fn replace(&mut self, version: u32) -> Vec<Body> {
        self.stub.redirect_to_lazy_entry();
        self.state.on_replace(version).map(|body| *body).collect()
    }
}

// SAFETY: `first_call` returns the address of the body that stands behind this very stub (promise 2), and the evaluation
// that asks is counted, so the body is not freed before it has ended (promise 3).
unsafe impl<S: Source> Runtime for Jit<S> {
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
        self.first_call(stub).map_err(Trap::error)
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap> {
        let result = match *args {
            [number, counter] if self.source.hot_function() == Some(host) => self.on_hot(number, counter),
            _ => self.source.host_call(host, args),
        };
        result.map_err(Trap::error)
    }
}
