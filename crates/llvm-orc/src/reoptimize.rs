//! Reoptimize layer: functions start in code that is compiled fast and counts its calls, and get
//! optimized code from a background thread when they are hot.
//!
//! In LLVM's terms, a `ReOptimizeLayer`. LLVM's compiles on the thread whose call trips the
//! counter, and leaves the former code to the program. Here the caller goes on, a compile thread
//! optimizes, and former code is freed when no thread is inside of it. The definitions can be
//! replaced, and optimized code can be invalidated.
//!
//! 1. Code of a version calls `on_trip` with the address of the version's `TripContext`. Both live
//!    as long as the code: they are owned by the version, which owns the code's tracker, and the
//!    version is dropped when no thread can be inside its code.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::{Linkage, Module};
use inkwell::values::FunctionValue;

use crate::address::{Address, Function};
use crate::call_counters::{CallCounters, Trip};
use crate::compiler::{Compiler, Passes};
use crate::dylib::Dylib;
use crate::epochs::Owner;
use crate::error::{Error, ErrorKind};
use crate::redirectable::{Redirectable, Stub};
use crate::target::{OptLevel, Target};
use crate::tracker::Tracker;

/// Functions of a dylib that get optimized code when they are called often, while threads call
/// them.
///
/// Each module that is defined is a unit: its functions are optimized, replaced and removed
/// together, and call each other directly. Other modules of the dylib call them by stubs, which
/// have the functions' names.
///
/// Dropping the layer ends its compile thread. A [`Redirectable`] keeps its function callable.
pub struct ReoptimizeLayer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`ReoptimizeLayer`] does, for its observer. Each event is about one unit, whose functions
/// it names.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReoptimizeEvent<'a> {
    /// A function of the unit is hot: the compile thread begins to optimize.
    Compiling {
        /// The functions of the unit.
        names: &'a [String],
    },
    /// Calls that begin now run optimized code.
    Optimized {
        /// The functions of the unit.
        names: &'a [String],
    },
    /// The unit was defined again, invalidated or removed while it was being optimized.
    Discarded {
        /// The functions of the unit.
        names: &'a [String],
    },
    /// The unit cannot be optimized. Its baseline code stays in use.
    Failed {
        /// The functions of the unit.
        names: &'a [String],
        /// Why.
        error: &'a Error,
    },
}

type Observer = Box<dyn Fn(&ReoptimizeEvent<'_>) + Send + Sync>;

struct Shared {
    dylib: Dylib,
    threshold: u64,
    /// The number of the next version of any unit.
    next_version: AtomicU64,
    units: Mutex<Units>,
    jobs: Sender<Job>,
    observer: Option<Observer>,
}

/// The units by the name of each of their functions.
type Units = HashMap<String, Arc<Mutex<Unit>>>;

enum Job {
    /// The unit whose baseline code has this version.
    Optimize(u64),
    Stop,
}

struct Unit {
    names: Arc<[String]>,
    /// The type of each function, as text.
    types: Vec<String>,
    stubs: Vec<Arc<Stub>>,
    /// The module before it was instrumented.
    bitcode: Arc<[u8]>,
    baseline: Arc<Version>,
    /// Changes when code that was or is being optimized is not valid any more: a definition, an
    /// invalidation.
    generation: u64,
    is_optimized: bool,
    is_removed: bool,
}

/// Code of a unit. Fields are dropped in this order: the code goes before what it refers to.
struct Version {
    _tracker: Tracker,
    /// One for each function.
    addresses: Vec<Address>,
    number: u64,
    /// What code that counts refers to.
    counting: Option<(CallCounters, Box<TripContext>)>,
}

/// What `on_trip` gets, on any thread.
struct TripContext {
    version: u64,
    is_requested: AtomicBool,
    jobs: Sender<Job>,
}

/// Called by code whose counter reaches the threshold. Does not wait.
extern "C" fn on_trip(context: *const ()) {
    // SAFETY: promise 1 of the module.
    let context = unsafe { &*context.cast::<TripContext>() };
    if !context.is_requested.swap(true, Ordering::Relaxed) {
        // Without a compile thread, the code stays as it is.
        let _ = context.jobs.send(Job::Optimize(context.version));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReoptimizeLayer {
    /// Starts building a layer for functions of this dylib.
    #[must_use]
    pub fn builder(dylib: &Dylib) -> ReoptimizeLayerBuilder {
        ReoptimizeLayerBuilder {
            dylib: dylib.clone(),
            target: None,
            threshold: 1000,
            passes: Passes::none(),
            level: OptLevel::Default,
            observer: None,
        }
    }

    /// Defines the functions of the module that `fill` returns, or replaces them. They are compiled
    /// by `compiler`, whose target and passes are those of the baseline code, and count their
    /// calls.
    ///
    /// Calls that begin afterwards run the new definitions. Calls that are running end in the
    /// former code. Returns the names of the functions.
    ///
    /// The module's functions must be external, or local to the module. It must not define
    /// variables, because each version of the code would have its own.
    ///
    /// # Errors
    /// The error of `fill`; the errors of [`Compiler::compile`]; those of [`Dylib::lookup`] if the
    /// code cannot be linked; and
    /// - [`ErrorKind::Module`] if the module is not as described above, or replaces some functions
    ///   of a unit, but not all, or gives a function another type.
    /// - [`ErrorKind::Duplicate`] if the dylib defines a name already, not by this layer.
    pub fn define<F, E>(&self, compiler: &mut Compiler, fill: F) -> Result<Vec<String>, E>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Result<Module<'cx>, E>,
        E: From<Error>,
    {
        let shared = &self.shared;
        let number = shared.next_version.fetch_add(1, Ordering::Relaxed);
        let trip = Box::new(TripContext {
            version: number,
            is_requested: AtomicBool::new(false),
            jobs: shared.jobs.clone(),
        });
        let mut described = None;
        let object = compiler.try_compile(|cx| {
            let module = fill(cx)?;
            if module.get_context().raw() != cx.raw() {
                let text = "module belongs to another context than the one it was given";
                return Err(Error::new(ErrorKind::Module, text).into());
            }
            module.verify().map_err(|error| Error::new(ErrorKind::Module, error.to_string()))?;
            let functions = exported_functions(&module)?;
            let names: Arc<[String]> = functions.iter().map(name_of).collect();
            let types = functions.iter().map(|function| function.get_type().print_to_string().to_string());
            let types: Vec<String> = types.collect();
            let bitcode: Arc<[u8]> = module.write_bitcode_to_memory().as_slice().into();
            let context = (&raw const *trip).cast();
            let trip = Trip { threshold: shared.threshold, function: on_trip, context };
            let counters = CallCounters::add_with_trip(cx, &module, Some(&trip))?;
            rename(&functions, number);
            described = Some((names, types, bitcode, counters));
            Ok::<_, E>(module)
        })?;
        let (names, types, bitcode, counters) = described.expect("it compiled");
        let tracker = shared.dylib.add_object(&object)?;
        let baseline = Arc::new(shared.version(tracker, &names, number, Some((counters, trip)))?);
        Ok(shared.install(&names, types, bitcode, baseline)?)
    }

    /// A function of the layer, as a handle that threads can call.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the layer does not define the name.
    ///
    /// # Safety
    /// The function must have type `F`, and be safe to call with any arguments of that type. So
    /// must each later definition of it.
    pub unsafe fn lookup_fn<F: Function>(&self, name: &str) -> Result<Redirectable<F>, Error> {
        let unit = self.unit(name)?;
        let unit = lock(&unit);
        let stub = unit.names.iter().position(|known| known == name).and_then(|idx| unit.stubs.get(idx));
        // Another thread may have removed the unit meanwhile.
        stub.map(|stub| Redirectable::from_stub(Arc::clone(stub))).ok_or_else(|| unknown(name))
    }

    /// Returns the unit of a function to its baseline code, and counts its calls from zero. For
    /// code that was optimized under an assumption that does not hold any more. Optimized code that
    /// is running is freed when no thread is inside of it. Code that is being optimized is
    /// discarded.
    ///
    /// Returns whether the unit was optimized.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the layer does not define the name.
    pub fn invalidate(&self, name: &str) -> Result<bool, Error> {
        let unit = self.unit(name)?;
        let mut unit = lock(&unit);
        let was_optimized = std::mem::take(&mut unit.is_optimized);
        unit.generation += 1;
        unit.redirect(&unit.baseline);
        if let Some((counters, trip)) = &unit.baseline.counting {
            counters.reset();
            trip.is_requested.store(false, Ordering::Relaxed);
        }
        Ok(was_optimized)
    }

    /// Removes the unit of a function. The names are free when the last [`Redirectable`] of the
    /// unit is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the layer does not define the name.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let unit = self.unit(name)?;
        let mut units = lock(&self.shared.units);
        let (names, stubs) = {
            let mut unit = lock(&unit);
            unit.is_removed = true;
            (Arc::clone(&unit.names), std::mem::take(&mut unit.stubs))
        };
        let removed: Vec<_> = names.iter().filter_map(|name| units.remove(name)).collect();
        drop(units);
        // Outside of the lock: this removes code.
        drop((stubs, removed, unit));
        Ok(())
    }

    /// The number of calls of a function's baseline code, since it was defined or invalidated.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the layer does not define the name.
    pub fn calls(&self, name: &str) -> Result<u64, Error> {
        let unit = self.unit(name)?;
        let unit = lock(&unit);
        let counting = unit.baseline.counting.as_ref();
        Ok(counting.and_then(|(counters, _)| counters.calls(name)).unwrap_or_default())
    }

    /// Whether calls of a function run optimized code.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the layer does not define the name.
    pub fn is_optimized(&self, name: &str) -> Result<bool, Error> {
        Ok(lock(&*self.unit(name)?).is_optimized)
    }

    fn unit(&self, name: &str) -> Result<Arc<Mutex<Unit>>, Error> {
        let units = lock(&self.shared.units);
        units.get(name).map(Arc::clone).ok_or_else(|| unknown(name))
    }
}

impl Drop for ReoptimizeLayer {
    fn drop(&mut self) {
        let _ = self.shared.jobs.send(Job::Stop);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // Its panics are caught.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn notify(&self, event: &ReoptimizeEvent<'_>) {
        if let Some(observer) = &self.observer {
            // No caller is waiting for the result, so a panic is ignored.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        }
    }

    /// Links the code of a version.
    fn version(
        &self,
        tracker: Tracker,
        names: &[String],
        number: u64,
        counting: Option<(CallCounters, Box<TripContext>)>,
    ) -> Result<Version, Error> {
        let addresses = names.iter().map(|name| tracker.lookup(&versioned(name, number)));
        let addresses = addresses.collect::<Result<_, _>>()?;
        Ok(Version { _tracker: tracker, addresses, number, counting })
    }

    /// Makes a version the definition of its functions.
    fn install(
        &self,
        names: &Arc<[String]>,
        types: Vec<String>,
        bitcode: Arc<[u8]>,
        baseline: Arc<Version>,
    ) -> Result<Vec<String>, Error> {
        let mut units = lock(&self.units);
        if let Some(known) = names.iter().find_map(|name| units.get(name).map(Arc::clone)) {
            let mut unit = lock(&known);
            if unit.names != *names || unit.types != types {
                let text = format!(
                    "a definition of {} cannot replace one of {}: other functions or types",
                    names.join(", "),
                    unit.names.join(", ")
                );
                return Err(Error::new(ErrorKind::Module, text));
            }
            unit.redirect(&baseline);
            unit.is_optimized = false;
            unit.generation += 1;
            unit.bitcode = bitcode;
            unit.baseline = baseline;
        } else {
            let stubs = names.iter().zip(&baseline.addresses).map(|(name, address)| {
                let owner = Arc::clone(&baseline) as Owner;
                Stub::define(&self.dylib, name, *address, owner).map(Arc::new)
            });
            let stubs = stubs.collect::<Result<Vec<_>, _>>()?;
            let unit = Unit {
                names: Arc::clone(names),
                types,
                stubs,
                bitcode,
                baseline,
                generation: 0,
                is_optimized: false,
                is_removed: false,
            };
            let unit = Arc::new(Mutex::new(unit));
            for name in &**names {
                units.insert(name.clone(), Arc::clone(&unit));
            }
        }
        Ok(names.to_vec())
    }

    /// The compile thread.
    fn run(&self, jobs: &Receiver<Job>, compiler: &mut Compiler) {
        while let Ok(Job::Optimize(version)) = jobs.recv() {
            let find = |unit: &&Arc<Mutex<Unit>>| lock(unit).baseline.number == version;
            let found = lock(&self.units).values().find(find).map(Arc::clone);
            let Some(unit) = found else { continue };
            let (names, bitcode, generation) = {
                let unit = lock(&unit);
                if !unit.is_requested(version) {
                    continue;
                }
                (Arc::clone(&unit.names), Arc::clone(&unit.bitcode), unit.generation)
            };
            self.notify(&ReoptimizeEvent::Compiling { names: &names });
            match self.optimize(compiler, &names, &bitcode) {
                Ok(optimized) => {
                    let mut unit = lock(&unit);
                    let is_current = unit.generation == generation && !unit.is_removed;
                    if is_current {
                        unit.redirect(&Arc::new(optimized));
                        unit.is_optimized = true;
                    }
                    drop(unit);
                    self.notify(&if is_current {
                        ReoptimizeEvent::Optimized { names: &names }
                    } else {
                        ReoptimizeEvent::Discarded { names: &names }
                    });
                }
                Err(error) => self.notify(&ReoptimizeEvent::Failed { names: &names, error: &error }),
            }
        }
    }

    fn optimize(&self, compiler: &mut Compiler, names: &[String], bitcode: &[u8]) -> Result<Version, Error> {
        let number = self.next_version.fetch_add(1, Ordering::Relaxed);
        let object = compiler.try_compile(|cx| {
            let buffer = MemoryBuffer::create_from_memory_range_copy(bitcode, "unit");
            let module = Module::parse_bitcode_from_buffer(&buffer, cx)
                .map_err(|error| Error::new(ErrorKind::Module, error.to_string()))?;
            rename(&exported_functions(&module)?, number);
            Ok::<_, Error>(module)
        })?;
        self.version(self.dylib.add_object(&object)?, names, number, None)
    }
}

impl Unit {
    /// Whether baseline code with this version asks for optimized code. An invalidation ends the
    /// request, and a second request may have followed before the first was read.
    fn is_requested(&self, version: u64) -> bool {
        let is_hot = |trip: &TripContext| trip.is_requested.load(Ordering::Relaxed);
        let counting = self.baseline.counting.as_ref();
        self.baseline.number == version
            && !self.is_optimized
            && counting.is_some_and(|(_, trip)| is_hot(trip))
    }

    fn redirect(&self, version: &Arc<Version>) {
        for (stub, address) in self.stubs.iter().zip(&version.addresses) {
            stub.redirect(*address, Arc::clone(version) as Owner);
        }
    }
}

/// The functions that other modules can call.
fn exported_functions<'cx>(module: &Module<'cx>) -> Result<Vec<FunctionValue<'cx>>, Error> {
    let refuse = |what: &str, name: &std::ffi::CStr| {
        let text = format!("module of a reoptimize layer defines {what}: {}", name.to_string_lossy());
        Err(Error::new(ErrorKind::Module, text))
    };
    for variable in module.get_globals() {
        let is_local = matches!(variable.get_linkage(), Linkage::Internal | Linkage::Private);
        let is_shared = variable.is_declaration() || (variable.is_constant() && is_local);
        if !is_shared {
            return refuse("a variable, of which each version would have its own", variable.get_name());
        }
    }
    let mut exported = Vec::new();
    for function in module.get_functions().filter(|function| function.count_basic_blocks() > 0) {
        match function.get_linkage() {
            Linkage::Internal | Linkage::Private => {}
            Linkage::External => exported.push(function),
            _ => return refuse("a function that is neither external nor local", function.get_name()),
        }
    }
    if exported.is_empty() {
        return Err(Error::new(ErrorKind::Module, "module of a reoptimize layer defines no function"));
    }
    Ok(exported)
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("the layer does not define {name}"))
}

fn name_of(function: &FunctionValue<'_>) -> String {
    function.get_name().to_string_lossy().into_owned()
}

/// The name of a function's code. The function's own name is that of its stub.
fn versioned(name: &str, number: u64) -> String {
    format!("{name}${number}")
}

fn rename(functions: &[FunctionValue<'_>], number: u64) {
    for function in functions {
        function.as_global_value().set_name(&versioned(&name_of(function), number));
    }
}

/// Settings of a [`ReoptimizeLayer`].
pub struct ReoptimizeLayerBuilder {
    dylib: Dylib,
    target: Option<Target>,
    threshold: u64,
    passes: Passes,
    level: OptLevel,
    observer: Option<Observer>,
}

impl ReoptimizeLayerBuilder {
    /// The number of calls after which a function is optimized. The default is 1,000.
    #[must_use]
    pub fn threshold(mut self, n_calls: u64) -> Self {
        self.threshold = n_calls.max(1);
        self
    }

    /// The passes and the code generator's effort of optimized code. The default is no passes and
    /// [`OptLevel::Default`].
    #[must_use]
    pub fn optimized(mut self, passes: Passes, level: OptLevel) -> Self {
        (self.passes, self.level) = (passes, level);
        self
    }

    /// The target of optimized code. The default is the host.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// A closure that sees each [`ReoptimizeEvent`], on the compile thread. Its panics are ignored.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&ReoptimizeEvent<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Creates the layer with its compile thread.
    ///
    /// # Errors
    /// The errors of [`CompilerBuilder::build`](crate::CompilerBuilder::build), and
    /// [`ErrorKind::Session`] if the thread cannot be started.
    pub fn build(self) -> Result<ReoptimizeLayer, Error> {
        let mut compiler = Compiler::builder().passes(self.passes).opt_level(self.level);
        if let Some(target) = self.target {
            compiler = compiler.target(target);
        }
        let (jobs, receiver) = channel();
        let shared = Arc::new(Shared {
            dylib: self.dylib,
            threshold: self.threshold,
            next_version: AtomicU64::new(1),
            units: Mutex::default(),
            jobs,
            observer: self.observer,
        });
        let (started, has_started) = channel();
        let for_thread = Arc::clone(&shared);
        let run = move || match compiler.build() {
            Ok(mut compiler) => {
                let _ = started.send(Ok(()));
                for_thread.run(&receiver, &mut compiler);
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("reoptimize".to_owned()).spawn(run);
        let thread =
            thread.map_err(|error| Error::new(ErrorKind::Session, format!("no compile thread: {error}")))?;
        let ended = || Err(Error::new(ErrorKind::Session, "the compile thread ended"));
        has_started.recv().unwrap_or_else(|_| ended())?;
        Ok(ReoptimizeLayer { shared, thread: Some(thread) })
    }
}

impl fmt::Debug for ReoptimizeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReoptimizeLayer").field("dylib", &self.shared.dylib).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReoptimizeLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReoptimizeLayerBuilder")
            .field("dylib", &self.dylib)
            .field("threshold", &self.threshold)
            .field("passes", &self.passes)
            .finish_non_exhaustive()
    }
}
