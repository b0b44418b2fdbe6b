//! LLVM as a code generator: compiles each unit with the thread's own context and target machine,
//! and links the object by ORC.
//!
//! The dylib sees nothing of the process but C's maths functions. Passes are never named by text:
//! that alone would link all passes of LLVM into the program.
//!
//! Why the code keeps the promises of [`CodeGenerator`]:
//! 1. The unit says how code is entered, to the compiler as to the callers.
//! 2. Code refers to slots, maths functions and host variables by the addresses it was given, and
//!    to nothing else. Relocatable code has them in its address table.
//! 3. A tracker keeps each object, and the session as long as there is a tracker.

use kaleidoscope_ir::compile::{
    Backend, BuildRequest, Code, CodeGenerator, CompileError, CompileTimes, Exit, Identity, Listing,
    Optimization, RelocatableCode, Settings, TableWord, Unit, VectorMaths,
};
use kaleidoscope_ir::{Function, FunctionId, MathsFunction, SourcePositions};
use llvm_orc::{Address, Compiler, Dylib, Jit, Memory, Object, Passes, llvm_address, llvm_version};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::error::describe;
use crate::pipeline::code_generation;
use crate::relocate::relocate;
use crate::{Effort, References, build, effort, lower, pipeline, symbols};

/// The optimizing compiler, linked into the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Llvm;

impl Backend for Llvm {
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        let optimization = settings.optimization;
        let full = compiler_for(optimization)?;
        let dylib = start_linker(settings).map_err(|error| describe(&error))?;
        let further_maths = BTreeSet::new();
        let has_debug_info = settings.has_debug_info;
        Ok(Box::new(Generator {
            optimization,
            full,
            quick: None,
            dylib,
            further_maths,
            n_symbols: 0,
            has_debug_info,
        }))
    }
}

/// A dylib that defines C's maths functions, each under a name that modules use for nothing else.
fn start_linker(settings: &Settings) -> Result<Dylib, llvm_orc::Error> {
    // Debuggers write breakpoints into code, which they cannot do in slabs.
    let memory = if settings.has_debug_info { Memory::Pages } else { Memory::default() };
    let dylib = Jit::builder().memory(memory).build()?.create_bare_dylib("kaleidoscope")?;
    let mut listed: Vec<(String, Address)> = Vec::new();
    for &maths in MathsFunction::ALL {
        let address = Address::new(settings.maths(maths) as u64);
        listed.push((symbols::maths(maths), address));
        listed.push((symbols::host_maths(maths), Address::new(settings.host_maths(maths) as u64)));
        if symbols::runtime_symbols().contains(&maths.name()) {
            listed.push((maths.name().to_owned(), address));
        }
    }
    let listed = listed.iter().map(|(name, address)| (name.as_str(), *address));
    // SAFETY: the settings say that the addresses are those of C's functions, valid as long as the
    // process. Code calls them with the arity that C gives them.
    #[allow(unsafe_code, reason = "an address says nothing about the function there")]
    unsafe {
        dylib.define_absolute(listed)?;
    }
    Ok(dylib)
}

fn compiler_for(optimization: Optimization) -> Result<Compiler, CompileError> {
    let builder = Compiler::builder().opt_level(code_generation(optimization));
    builder.build().map_err(|error| describe(&error))
}

/// The code generator of one compile thread.
struct Generator {
    optimization: Optimization,
    /// Compiles at the level of the settings.
    full: Compiler,
    /// Compiles large functions without optimization. Created for the first one.
    quick: Option<Compiler>,
    /// Where objects are linked.
    dylib: Dylib,
    /// The symbols of further maths functions that the dylib defines so far.
    further_maths: BTreeSet<String>,
    /// The number of symbols so far.
    n_symbols: u32,
    has_debug_info: bool,
}

// SAFETY: see the head of this file.
#[allow(unsafe_code, reason = "this file vouches for the code that LLVM generates")]
unsafe impl CodeGenerator for Generator {
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError> {
        let unit = &*self.with_positions(unit);
        let symbol = self.new_symbol(unit);
        self.define_further_maths(unit)?;
        let (compiler, passes) = self.compiler(unit)?;
        let mut exits = Vec::new();
        let object = compiler.compile_with(&passes, |cx| {
            let (module, found) = lower(cx, unit, &symbol, References::Addresses);
            exits = found;
            module
        });
        let object = object.map_err(|error| describe(&error))?;
        self.link(&symbol, &object, exits)
    }

    fn identity(&mut self) -> Result<Identity, CompileError> {
        let target = self.full.target();
        let (triple, processor, features) = (target.triple(), target.cpu(), target.features());
        let text = format!("{}, {triple}, {processor}, {features}", llvm_version());
        let own = <Self as CodeGenerator>::identity as *const () as usize;
        Ok(Identity { text, parts: vec![own, address_of(llvm_address())] })
    }

    fn compile_object(&mut self, unit: &Unit) -> Result<RelocatableCode, CompileError> {
        let unit = &*self.with_positions(unit);
        let (compiler, passes) = self.compiler(unit)?;
        let words: Vec<TableWord> = unit.address_table().into_keys().collect();
        let mut exits = Vec::new();
        let object = compiler.compile_with(&passes, |cx| {
            let (module, found) = lower(cx, unit, symbols::RELOCATABLE, References::Table(&words));
            exits = found;
            module
        });
        let object = object.map_err(|error| describe(&error))?;
        Ok(RelocatableCode { object: object.bytes().to_vec(), exits, times: times_of(&object) })
    }

    #[allow(unsafe_code, reason = "the caller vouches for the object")]
    unsafe fn link_object(&mut self, unit: &Unit, code: RelocatableCode) -> Result<Code, CompileError> {
        let RelocatableCode { mut object, exits, times } = code;
        self.n_symbols += 1;
        let symbol = symbols::relocated(self.n_symbols);
        relocate(&mut object, &symbol, unit.address_table().into_values())?;
        self.define_further_maths(unit)?;
        // SAFETY: the caller says that a code generator like this one made the object. Only its
        // name and its address table were filled in, with what the unit refers to.
        let object = unsafe { Object::from_bytes(object) }.map_err(|error| describe(&error))?;
        let mut code = self.link(&symbol, &object, exits)?;
        code.times += times;
        Ok(code)
    }

    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        let symbol = symbols::code(&unit.function.name, unit.version);
        let (compiler, passes) = self.compiler(unit)?;
        let references = References::Symbols(names);
        let text = match listing {
            Listing::Llvm => compiler.optimized_ir_with(&passes, |cx| lower(cx, unit, &symbol, references).0),
            Listing::Assembly => compiler.assembly_with(&passes, |cx| lower(cx, unit, &symbol, references).0),
        };
        text.map_err(|error| describe(&error))
    }

    fn build(&mut self, request: &BuildRequest) -> Result<Vec<Vec<u8>>, CompileError> {
        build(request)
    }
}

/// The times up to the object.
fn times_of(object: &Object) -> CompileTimes {
    let timings = object.timings();
    CompileTimes {
        ir: timings.fill,
        optimize: timings.optimize,
        codegen: timings.codegen,
        ..CompileTimes::default()
    }
}

fn address_of(address: Address) -> usize {
    usize::try_from(address.get()).expect("addresses have the width of this machine")
}

impl Generator {
    fn link(&self, symbol: &str, object: &Object, exits: Vec<Exit>) -> Result<Code, CompileError> {
        let start = Instant::now();
        let tracker = self.dylib.add_object(object).map_err(|error| describe(&error))?;
        let address = self.dylib.lookup(symbol).map_err(|error| describe(&error))?;
        let debug_object = self.has_debug_info.then(|| tracker.located_object(object)).transpose();
        let debug_object = debug_object.map_err(|error| describe(&error))?;
        Ok(Code {
            address: address_of(address),
            debug_object,
            bytes: usize::try_from(object.code_bytes()).unwrap_or(usize::MAX),
            times: CompileTimes { link: start.elapsed(), ..times_of(object) },
            exits,
            keep: Box::new(tracker),
        })
    }

    /// The unit, with unknown positions where it has none and debuggers are to see the code:
    /// without any, LLVM makes no unwind information.
    fn with_positions<'u>(&self, unit: &'u Unit) -> Cow<'u, Unit> {
        if !self.has_debug_info || unit.function.positions().is_some() {
            return Cow::Borrowed(unit);
        }
        let function = Function::clone(&unit.function).with_positions(SourcePositions::unknown());
        Cow::Owned(Unit { function: Arc::new(function), ..unit.clone() })
    }

    /// Defines vector maths functions and `sincos` in the dylib. Few programs need any.
    fn define_further_maths(&mut self, unit: &Unit) -> Result<(), CompileError> {
        let vectors = unit.vector_maths.iter().map(|&VectorMaths { function, lanes, address }| {
            (symbols::vector_maths(function, lanes), address)
        });
        let sincos = unit.sincos.map(|address| (symbols::SINCOS.to_owned(), address));
        for (symbol, address) in vectors.chain(sincos) {
            if self.further_maths.contains(&symbol) {
                continue;
            }
            let listed = [(symbol.as_str(), Address::new(address as u64))];
            // SAFETY: the unit says that the functions are valid as long as the process. Code calls
            // them by the vector ABI for this number of lanes, and `sincos` as C declares it.
            #[allow(unsafe_code, reason = "an address says nothing about the function there")]
            unsafe { self.dylib.define_absolute(listed) }.map_err(|error| describe(&error))?;
            self.further_maths.insert(symbol);
        }
        Ok(())
    }

    /// A linker name that is not used yet. It numbers the code, not the definition: one version
    /// can be compiled more than once, when it tiers up or an inlinee is redefined, while its
    /// earlier code is still linked.
    fn new_symbol(&mut self, unit: &Unit) -> String {
        self.n_symbols += 1;
        symbols::code(&unit.function.name, self.n_symbols)
    }

    /// The compiler and the passes for this unit.
    ///
    /// # Errors
    /// [`CompileError::TooLarge`]. Optimized code is compiled in full or not at all: unoptimized,
    /// it would be no faster than the baseline code that it replaces.
    fn compiler(&mut self, unit: &Unit) -> Result<(&mut Compiler, Passes), CompileError> {
        let (compiler, optimization) = match effort(unit) {
            Effort::Full => (&mut self.full, self.optimization),
            Effort::Quick if unit.inlining.is_none() => {
                let quick = match &mut self.quick {
                    Some(quick) => quick,
                    none => none.insert(compiler_for(Optimization::None)?),
                };
                (quick, Optimization::None)
            }
            Effort::Quick | Effort::Refuse => return Err(CompileError::TooLarge),
        };
        Ok((compiler, Passes::functions(pipeline(unit, optimization))))
    }
}
