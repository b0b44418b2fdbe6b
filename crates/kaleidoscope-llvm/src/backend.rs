//! LLVM as a code generator: a module for each unit, compiled with a context and a target machine of the thread's own, and
//! the object linked by ORC into a dylib that sees nothing of the process but C's maths functions.
//!
//! Passes are never named by text: that alone would link every pass of LLVM's into the program.
//!
//! What makes the code what [`CodeGenerator`] promises: the unit says how many parameters a function has, for the code as for its
//! callers; code refers to slots, maths functions and variables of the host by the addresses it was given, and to nothing else; a tracker
//! keeps each body, and the session as long as there is a tracker.

use crate::{
    Effort, Pass, effort, effort_hot, lower, lower_hot, pipeline, pipeline_hot, pipeline_rows, symbols,
};
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{
    Backend, Callee, Code, CodeGenerator, CodeKind, CompileError, CompileTimes, HotUnit, Listing,
    Optimization, Settings, Unit, Variable, VectorMaths,
};
use kaleidoscope_ir::{FunctionId, HostVariable};
use llvm_orc::{Address, Compiler, Dylib, FunctionPass, Jit, Object, Passes};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// LLVM, linked into the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Llvm;

impl Backend for Llvm {
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        let optimization = settings.optimization;
        let full = compiler_for(optimization)?;
        let dylib = start_linker(settings).map_err(|error| describe(&error))?;
        let vector_maths = BTreeSet::new();
        Ok(Box::new(Generator { optimization, full, quick: None, dylib, vector_maths, n_bodies: 0 }))
    }
}

/// A dylib in which C's functions stand, each under a name that stands for exactly it in every module.
fn start_linker(settings: &Settings) -> Result<Dylib, llvm_orc::Error> {
    let dylib = Jit::builder().build()?.create_bare_dylib("kaleidoscope")?;
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
    // SAFETY: the settings say that C's functions live as long as the process; code calls them with the arity that C gives them.
    #[allow(unsafe_code, reason = "an address says nothing of what is there")]
    unsafe {
        dylib.define_absolute(listed)?;
    }
    Ok(dylib)
}

fn compiler_for(optimization: Optimization) -> Result<Compiler, CompileError> {
    let builder = Compiler::builder().opt_level(code_generation(optimization));
    builder.build().map_err(|error| describe(&error))
}

/// LLVM, on a compile thread.
struct Generator {
    optimization: Optimization,
    /// Optimises as it was told.
    full: Compiler,
    /// For functions so large that LLVM's time would grow out of bounds; made when the first comes.
    quick: Option<Compiler>,
    /// Where objects are linked.
    dylib: Dylib,
    /// The symbols of vector maths functions that the dylib has so far.
    vector_maths: BTreeSet<String>,
    /// How many bodies were made.
    n_bodies: u32,
}

// SAFETY: see the head of this file.
#[allow(unsafe_code, reason = "who makes code vouches for it")]
unsafe impl CodeGenerator for Generator {
    fn generate(&mut self, unit: &Unit) -> Result<Code, CompileError> {
        let symbol = self.new_symbol(unit);
        let (compiler, passes) = self.compiler(unit)?;
        let object = compiler
            .compile_with(&passes, |context| {
                let variables = |id| place(unit.variable(id));
                lower(context, &lowering(unit, &symbol, &|id| callee(unit, id), &variables))
            })
            .map_err(|error| describe(&error))?;
        self.link(&symbol, &object)
    }

    fn generate_hot(&mut self, unit: &HotUnit) -> Result<Code, CompileError> {
        let symbol = self.new_symbol(&unit.root);
        let instances = unit.plan.instances();
        let callees = |id| lowered_callee(unit.callee(id));
        let hot = crate::HotUnit {
            symbol: &symbol,
            instances: &instances,
            callees: &callees,
            variables: &|id| place(unit.variable(id)),
            part: unit.part,
            vector_maths: &unit.vector_maths,
        };
        if effort_hot(&hot) != Effort::Full {
            return Err(CompileError::TooLarge);
        }
        let pipeline = match unit.part {
            CodeKind::Kernel(_) => pipeline_rows(),
            CodeKind::Function | CodeKind::Osr(_) => pipeline_hot(),
        };
        self.define_vector_maths(&unit.vector_maths)?;
        let object = self
            .full
            .compile_with(&passes(pipeline), |context| lower_hot(context, &hot))
            .map_err(|error| describe(&error))?;
        self.link(&symbol, &object)
    }

    fn list(
        &mut self,
        unit: &Unit,
        listing: Listing,
        names: &BTreeMap<FunctionId, String>,
    ) -> Result<String, CompileError> {
        let symbol = symbols::body(&unit.function.name, unit.version);
        let by_name = |id| match callee(unit, id) {
            crate::Callee::Slot { .. } => crate::Callee::SlotSymbol(symbols::slot(&names[&id])),
            maths => maths,
        };
        let variables = |id| crate::Variable::Symbol(symbols::variable(&unit.variable(id).name));
        let (compiler, passes) = self.compiler(unit)?;
        let lowering = lowering(unit, &symbol, &by_name, &variables);
        let text = match listing {
            Listing::Llvm => compiler.optimized_ir_with(&passes, |context| lower(context, &lowering)),
            Listing::Assembly => compiler.assembly_with(&passes, |context| lower(context, &lowering)),
        };
        text.map_err(|error| describe(&error))
    }
}

impl Generator {
    fn link(&self, symbol: &str, object: &Object) -> Result<Code, CompileError> {
        let start = Instant::now();
        let tracker = self.dylib.add_object(object).map_err(|error| describe(&error))?;
        let address = self.dylib.lookup(symbol).map_err(|error| describe(&error))?;
        let timings = object.timings();
        Ok(Code {
            address: usize::try_from(address.get()).expect("addresses have the width of this machine"),
            bytes: usize::try_from(object.code_bytes()).unwrap_or(usize::MAX),
            times: CompileTimes {
                baseline: Duration::ZERO,
                ir: timings.fill,
                optimize: timings.optimize,
                codegen: timings.codegen,
                link: start.elapsed(),
            },
            keep: Box::new(tracker),
        })
    }

    /// Makes the dylib know functions of the vector maths library, which few programs need.
    fn define_vector_maths(&mut self, functions: &[VectorMaths]) -> Result<(), CompileError> {
        for &VectorMaths { function, lanes, address } in functions {
            let symbol = symbols::vector_maths(function, lanes);
            if self.vector_maths.contains(&symbol) {
                continue;
            }
            let listed = [(symbol.as_str(), Address::new(address as u64))];
            // SAFETY: who asks says that the functions live as long as the process; code calls them by the ABI that goes with the
            // number of lanes.
            #[allow(unsafe_code, reason = "an address says nothing of what is there")]
            unsafe { self.dylib.define_absolute(listed) }.map_err(|error| describe(&error))?;
            self.vector_maths.insert(symbol);
        }
        Ok(())
    }

    /// A linker name that no body has yet. A version can be compiled more than once, when a function that it carries is defined
    /// or when it becomes hot, while the first body is still linked: so the body is numbered, and not the definition.
    fn new_symbol(&mut self, unit: &Unit) -> String {
        self.n_bodies += 1;
        symbols::body(&unit.function.name, self.n_bodies)
    }

    /// The compiler for this unit, and its passes.
    fn compiler(&mut self, unit: &Unit) -> Result<(&mut Compiler, Passes), CompileError> {
        let (compiler, level) = match effort(&unit.function) {
            Effort::Full => (&mut self.full, self.optimization),
            Effort::Quick => {
                let quick = match &mut self.quick {
                    Some(quick) => quick,
                    place => place.insert(compiler_for(Optimization::None)?),
                };
                (quick, Optimization::None)
            }
            Effort::Refuse => return Err(CompileError::TooLarge),
        };
        Ok((compiler, passes(pipeline(pass_level(level), &unit.function))))
    }
}

fn lowering<'a>(
    unit: &'a Unit,
    symbol: &'a str,
    callees: &'a dyn Fn(FunctionId) -> crate::Callee,
    variables: &'a dyn Fn(HostVariable) -> crate::Variable,
) -> crate::Unit<'a> {
    crate::Unit { function: &unit.function, symbol, callees, variables }
}

fn place(variable: &Variable) -> crate::Variable {
    crate::Variable::Address(variable.address as u64)
}

fn callee(unit: &Unit, id: FunctionId) -> crate::Callee {
    lowered_callee(unit.callee(id))
}

fn lowered_callee(callee: Callee) -> crate::Callee {
    match callee {
        Callee::Slot { address } => crate::Callee::Slot { address: address as u64 },
        Callee::Maths(maths) => crate::Callee::Maths(maths),
    }
}

fn passes(pipeline: &[Pass]) -> Passes {
    let passes = pipeline.iter().map(|pass| FunctionPass::named(pass.as_text()));
    Passes::functions(
        &passes.map(|pass| pass.expect("llvm-orc knows the passes of pipelines")).collect::<Vec<_>>(),
    )
}

fn pass_level(optimization: Optimization) -> crate::OptLevel {
    use crate::OptLevel;
    match optimization {
        Optimization::None => OptLevel::None,
        Optimization::Less => OptLevel::Less,
        Optimization::Default => OptLevel::Default,
        Optimization::Aggressive => OptLevel::Aggressive,
    }
}

fn code_generation(optimization: Optimization) -> llvm_orc::OptLevel {
    use llvm_orc::OptLevel;
    match optimization {
        Optimization::None => OptLevel::None,
        Optimization::Less => OptLevel::Less,
        Optimization::Default => OptLevel::Default,
        Optimization::Aggressive => OptLevel::Aggressive,
    }
}

/// The error and what caused it, in one line.
fn describe(error: &llvm_orc::Error) -> CompileError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    CompileError::Failed(text)
}
