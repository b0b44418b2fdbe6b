//! What the threads of an engine share, and how it serves the lazy engine as its source of bodies.

use crate::baseline::Baseline;
use crate::code_budget::CodeBudget;
use crate::compile_threads::CompileThreads;
use crate::config::Settings;
use crate::event::{BodyName, Event, Tier};
use crate::failure::Failure;
use crate::host::{HostTable, maths_entry};
use crate::interrupt::Interrupter;
use crate::jit::{Body, BodyFacts, Heat, HostId, Hot, Jit, Made, Occasion, Source, Stop, StubId};
use crate::program::{PROVIDED, Program};
use crate::{Mode, background, policy};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::{CallTarget, Code, CodeKind, CompileError, Listing, Optimization, Unit};
use kaleidoscope_lang::names::NameState;
use kaleidoscope_native::HostStub;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

/// The state of one engine but for its functions' code.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    code_budget: CodeBudget,
    pub(crate) interrupter: Interrupter,
    program: Mutex<Program>,
    /// Where good code is made; none where quick code has to do.
    pub(crate) compile_threads: Option<CompileThreads>,
    baseline: Baseline,
    /// How many pieces of quick code there are that could be made better, or once were.
    n_heats: AtomicU32,
    /// The engine's own functions, for what is made in the background.
    jit: Arc<OnceLock<Weak<Jit<Shared>>>>,
    pub(crate) hosts: HostTable,
    /// What code calls that has counted enough.
    hot_stub: HostStub,
}

impl Shared {
    /// With the definitions of another engine, if one is given.
    pub(crate) fn new(
        settings: Settings,
        definitions_of: Option<&Self>,
    ) -> Result<Self, kaleidoscope_native::Error> {
        let hosts = HostTable::default();
        let jit = Arc::<OnceLock<Weak<Jit<Self>>>>::default();
        let jit_of_raw_calls = Arc::clone(&jit);
        let hot_stub = hosts.allocate_standalone(2, move |args| {
            let jit = jit_of_raw_calls.get().and_then(Weak::upgrade);
            // A raw call has nobody to be told that an observer has panicked.
            jit.and_then(|jit| jit.on_hot(args[0], args[1]).ok()).unwrap_or_default()
        })?;
        let program = match definitions_of {
            Some(other) => other.program().fork(&other.hosts, &hosts)?,
            None => Program::new(&hosts)?,
        };
        let mode = settings.mode;
        let usual = match mode {
            Mode::Tiered => Optimization::Aggressive,
            _ => Optimization::Default,
        };
        let optimization = settings.optimization.unwrap_or(usual);
        let makes_good_code = matches!(mode, Mode::Tiered | Mode::Lazy | Mode::Eager);
        let backend = settings.backend.clone().filter(|_| makes_good_code);
        let compile_threads =
            backend.map(|backend| CompileThreads::new(backend, optimization, settings.compile_threads));
        Ok(Self {
            code_budget: CodeBudget::new(settings.max_code_bytes),
            settings,
            interrupter: Interrupter::new(),
            program: Mutex::new(program),
            compile_threads,
            baseline: Baseline::new(hot_stub.address()),
            n_heats: AtomicU32::new(0),
            jit,
            hosts,
            hot_stub,
        })
    }

    pub(crate) fn program(&self) -> MutexGuard<'_, Program> {
        // The lock is held over code of this crate and of the front end only; were there a panic in it, the program's tables
        // would still be whole, because an item is committed in one step at its end.
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the observers, with no lock held. What panics in one of them becomes a failure.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) -> Result<(), Failure> {
        if self.settings.observers.is_empty() {
            return Ok(());
        }
        let event = event();
        let told = catch_unwind(AssertUnwindSafe(|| {
            for observer in &self.settings.observers {
                observer.observe(&event);
            }
        }));
        told.map_err(|panic| Failure::of_panic(&*panic))
    }

    /// Tells that a function was called for the first time since it was defined, if it was.
    pub(crate) fn tell_first_call(&self, first: Option<BodyName>) -> Result<(), Failure> {
        first.map_or(Ok(()), |body| self.tell(|| Event::FirstCalled { body }))
    }

    /// Says which functions these are the state of.
    pub(crate) fn set_jit(&self, jit: &Arc<Jit<Shared>>) {
        self.jit.set(Arc::downgrade(jit)).expect("an engine is made once");
    }

    pub(crate) fn jit(&self) -> Option<Arc<Jit<Shared>>> {
        self.jit.get()?.upgrade()
    }

    /// Makes the first code of the unit.
    pub(crate) fn compile(&self, unit: Unit, occasion: Occasion) -> Result<Body, Failure> {
        self.code_budget.check()?;
        let unit = Arc::new(unit);
        let (tier, heat, code) = match (self.settings.mode, &self.compile_threads) {
            (Mode::Lazy | Mode::Eager, Some(threads)) => {
                let sent = Arc::clone(&unit);
                let code = threads.run(move |generator| generator.generate(&sent));
                (if occasion == Occasion::Call { Tier::Lazy } else { Tier::Eager }, None, code)
            }
            (_, threads) => {
                let heat = threads.as_ref().map(|_| Arc::new(self.new_heat(&unit)));
                let (heat, code) = self.quick_code(&unit, heat);
                (Tier::Baseline, heat, code)
            }
        };
        let code = code.map_err(|reason| Failure::Compile { body: BodyName::of(&unit), reason })?;
        let code = self.code_budget.charge(code)?;
        let facts = BodyFacts {
            function: unit.id.map(stub_of),
            name: BodyName::of(&unit),
            made: Made::Compiled { tier, part: CodeKind::Function, times: code.times, bytes: code.bytes },
            inlined: Arc::default(),
        };
        let body = Body::new(facts, unit.function.n_params, provided_in(&unit.call_targets).collect(), code);
        Ok(match heat {
            Some(heat) => body.with_heat(heat),
            None => body,
        })
    }

    /// Code that counts if there is heat; if that cannot be, because it is too large, code that does not.
    fn quick_code(
        &self,
        unit: &Unit,
        heat: Option<Arc<Heat>>,
    ) -> (Option<Arc<Heat>>, Result<Code, CompileError>) {
        match self.baseline.generate(unit, heat.as_deref().filter(|heat| heat.counts())) {
            Err(_) if heat.is_some() => (None, self.baseline.generate(unit, None)),
            code => (heat, code),
        }
    }

    /// Whether there may be more code.
    pub(crate) fn check_code(&self) -> Result<(), Failure> {
        self.code_budget.check()
    }

    /// Counts code that was made.
    pub(crate) fn charge(&self, code: Code) -> Result<Code, Failure> {
        self.code_budget.charge(code)
    }

    fn new_heat(&self, unit: &Arc<Unit>) -> Heat {
        let number = self.n_heats.fetch_add(1, Ordering::Relaxed);
        match self.weight_of_uncounted(unit) {
            Some(weight) => Heat::uncounted(number, Arc::clone(unit), weight, stub_of),
            None => Heat::new(number, Arc::clone(unit), self.settings.thresholds, stub_of),
        }
    }

    /// How often code of the unit is called, at most, for once that code counts, if it need not count itself.
    fn weight_of_uncounted(&self, unit: &Unit) -> Option<u32> {
        let function = &unit.function;
        if function.has_loops() || !policy::can_be_carried(function) {
            return None;
        }
        let callees =
            unit.call_targets.iter().filter(|(_, callee)| matches!(callee, CallTarget::Slot { .. }));
        self.jit()?.weight_of_uncounted(stub_of(unit.id?), callees.map(|(&id, _)| stub_of(id)))
    }

    /// Whether programs may name so many functions, those that the engine and the host provide not counted.
    pub(crate) fn check_functions(&self, n_functions: usize) -> Result<(), Failure> {
        match n_functions <= self.settings.max_functions {
            true => Ok(()),
            false => Err(Failure::TooManyFunctions),
        }
    }

    /// The text of the code that would be made of the unit.
    pub(crate) fn list(
        &self,
        unit: Unit,
        listing: Listing,
        names: BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        let Some(threads) = &self.compile_threads else {
            return Err(CompileError::Failed("there is no LLVM here, whose listing it would be".to_owned()));
        };
        threads.run(move |generator| generator.list(&unit, listing, &names))
    }

    /// Calls the function of the host behind this stub, with no lock held.
    pub(crate) fn call_host(&self, host: HostId, args: &[f64]) -> Result<f64, Failure> {
        self.hosts.get(host).call(&*self.settings.output, args)
    }
}

impl Source for Shared {
    type Failure = Failure;

    fn body(&self, function: StubId, version: u32, occasion: Occasion) -> Result<Option<Body>, Failure> {
        let id = id_of(function);
        let program = self.program();
        if let Some(definition) = program.definition(id) {
            if definition.version != version {
                return Ok(None);
            }
            let unit = program.unit(Arc::clone(&definition.function), Some(id), version);
            drop(program);
            return self.compile(unit, occasion).map(Some);
        }
        let signature = program.names.signature(id).clone();
        let address = match program.names.state(id) {
            NameState::Maths(maths) => maths_entry(maths).guest_address(),
            NameState::Host => {
                let host = program.host(id).expect("`NameState::Host` is said of the host's functions");
                if host.version != version {
                    return Ok(None);
                }
                host.stub.address()
            }
            _ => return Err(program.why_absent(id)),
        };
        let name = BodyName { name: signature.name, version };
        Ok(Some(Body::provided(function, name, signature.arity, address)))
    }

    fn called(&self, function: StubId, version: u32) -> Result<(), Failure> {
        let id = id_of(function);
        let mut program = self.program();
        let is_current = program.definition(id).is_some_and(|definition| definition.version == version);
        let first = if is_current { program.note_call(id) } else { None };
        drop(program);
        self.tell_first_call(first)
    }

    fn ready(&self, body: &BodyFacts) -> Result<(), Failure> {
        let Made::Compiled { tier, part, times, bytes } = body.made else { return Ok(()) };
        let name = || body.name.clone();
        if tier != Tier::Baseline {
            if let Some(took) = self.compile_threads.as_ref().and_then(CompileThreads::take_start) {
                self.tell(|| Event::GeneratorStarted { took })?;
            }
            self.tell(|| Event::IrMade { body: name(), took: times.ir })?;
        }
        self.tell(|| Event::Compiled {
            body: name(),
            tier,
            of_loop: part.of_loop(),
            inlined: Arc::clone(&body.inlined),
            times,
            bytes,
        })
    }

    fn failed(&self, failure: Failure) -> Failure {
        if let Failure::Compile { body, reason } = &failure
            && let Err(panic) = self.tell(|| Event::Failed { body: body.clone(), reason: reason.to_string() })
        {
            return panic;
        }
        failure
    }

    fn freed(&self, body: &BodyFacts) -> Result<(), Failure> {
        let Made::Compiled { tier, bytes, .. } = body.made else { return Ok(()) };
        self.tell(|| Event::Freed { body: body.name.clone(), tier, bytes })
    }

    fn delay(&self) -> Duration {
        self.settings.thresholds.delay
    }

    fn improve(&self, hot: Hot) -> Result<(), Failure> {
        let body = BodyName::of(&hot.heat.unit);
        let told = self.tell(|| Event::Hot { body, of_loop: hot.part.of_loop() });
        background::improve(self, hot);
        told
    }

    fn stub_of(&self, unit: &Unit) -> Option<StubId> {
        unit.id.map(stub_of)
    }

    fn invalidated(&self, body: &BodyFacts) -> Result<(), Failure> {
        let of_loop = body.part().of_loop();
        self.tell(|| Event::Invalidated { body: body.name.clone(), of_loop })
    }

    fn hot_function(&self) -> Option<HostId> {
        Some(self.hot_stub.id())
    }

    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Failure> {
        self.call_host(host, args)
    }

    fn stopped(&self, stop: Stop, inside: Vec<Arc<str>>) -> Failure {
        match stop {
            Stop::StackOverflow => Failure::StackOverflow { inside },
            Stop::Interrupted => Failure::Interrupted { inside },
            Stop::DeadlinePassed => Failure::TimedOut { inside },
            Stop::Unavailable(error) => Failure::Memory { reason: error.to_string() },
        }
    }

    fn panicked(&self, payload: Box<dyn Any + Send>) -> Failure {
        Failure::of_panic(&*payload)
    }
}

/// The functions of the maths library that code of these callees stands for, with their version.
pub(crate) fn provided_in(
    callees: &BTreeMap<FunctionId, CallTarget>,
) -> impl Iterator<Item = (StubId, u32)> + '_ {
    callees.iter().filter_map(|(&id, callee)| match callee {
        CallTarget::Maths(_) => Some((stub_of(id), PROVIDED)),
        CallTarget::Slot { .. } => None,
    })
}

/// A function's stub has the function's number.
pub(crate) fn stub_of(id: FunctionId) -> StubId {
    StubId::new(u32::try_from(id.index()).expect("ids are 32 bits wide"))
}

fn id_of(stub: StubId) -> FunctionId {
    FunctionId::new(u32::try_from(stub.index()).expect("stubs are numbered in 32 bits"))
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("mode", &self.settings.mode)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}
