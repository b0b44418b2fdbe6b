//! The compiler: what Cranelift needs for a function, kept from one to the next.

use std::fmt;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::ExternalName;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{Context, FinalizedRelocTarget};
use kaleidoscope_ir::MathsFunction;

use crate::counter_code::{CounterCode, CounterReference};
use crate::effort::{Effort, effort};
use crate::lower::{Maths, lower, lower_thunk};
use crate::{Error, Unit, arch, target};

/// Compiles one function after the other.
///
/// What a function takes is used again for the next, or given back if the function was large. Of the stack it needs
/// less than 128 KiB, however large the function is; without optimisation of Cranelift itself, less than 1 MiB.
pub struct Compiler {
    full: OwnedTargetIsa,
    quick: OwnedTargetIsa,
    context: Context,
    maths: Maths,
}

impl Compiler {
    /// A compiler for this machine.
    ///
    /// `maths` gives the addresses by which generated code calls the functions of the C maths library, with the C ABI
    /// of doubles; they are valid as long as the code is. Asked for those that code calls, when it is made.
    ///
    /// # Errors
    /// If Cranelift cannot be set up: a mistake in this crate.
    pub fn new(maths: fn(MathsFunction) -> usize) -> Result<Self, Error> {
        Ok(Self {
            full: target::host(Effort::Full)?,
            quick: target::host(Effort::Quick)?,
            context: Context::new(),
            maths: Maths::new(maths, arch::has_rounding_instructions()),
        })
    }

    /// Compiles a function.
    ///
    /// # Errors
    /// If the function is too large to be compiled in about two seconds, or Cranelift fails. One that counts weighs
    /// more: it may do without [`Unit::heat`].
    pub fn compile(&mut self, unit: &Unit<'_>) -> Result<Code, Error> {
        let name = &unit.function.name;
        let found = effort(unit.function, unit.heat.is_some());
        let (effort, shape) = found.ok_or_else(|| Error::too_large(name))?;
        self.context.clear();
        lower(&mut self.context.func, unit, &shape, &self.maths);
        let code = self.generate(name, effort);
        if effort == Effort::Quick {
            self.context = Context::new();
        }
        let (mut code, references) = code?;
        if let Some(heat) = &unit.heat {
            let slot = if shape.has_tail_call { unit.own_slot() } else { None };
            let n_params = unit.function.n_params as usize;
            (code.bytes, code.entry) =
                arch::add_counters(&code.bytes, code.align, n_params, heat, &references, slot)
                    .ok_or_else(|| Error::failed(name, &"its frame is not what Cranelift makes"))?;
        }
        Ok(code)
    }

    /// Code by which counting code calls `hot`: what [`Heat::thunk`](crate::Heat::thunk) wants. `hot` is the address of a
    /// function with the C ABI of doubles and two parameters.
    ///
    /// # Errors
    /// If Cranelift fails.
    pub fn hot_thunk(&mut self, hot: usize) -> Result<Code, Error> {
        self.context.clear();
        lower_thunk(&mut self.context.func, hot);
        self.generate("hot", Effort::Full).map(|(code, _)| code)
    }

    /// The code, and its references to counter code.
    fn generate(&mut self, name: &str, effort: Effort) -> Result<(Code, Vec<CounterReference>), Error> {
        let isa = match effort {
            Effort::Full => &self.full,
            Effort::Quick => &self.quick,
        };
        self.context
            .compile(&**isa, &mut ControlPlane::default())
            .map_err(|error| Error::failed(name, &error.inner))?;
        let names = self.context.func.params.user_named_funcs();
        let compiled = self.context.compiled_code().expect("it has just been compiled");
        let references = compiled.buffer.relocs().iter().map(|reloc| {
            debug_assert_eq!(reloc.kind, arch::CALL_RELOCATION, "code refers to everything else by address");
            let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = reloc.target else {
                unreachable!("code refers to counter code only")
            };
            CounterReference { offset: reloc.offset as usize, target: CounterCode::of_name(&names[name]) }
        });
        let references = references.collect();
        let align = compiled.buffer.alignment as usize;
        Ok((Code { bytes: compiled.code_buffer().to_vec(), align, entry: 0 }, references))
    }
}

impl fmt::Debug for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler").finish_non_exhaustive()
    }
}

/// Finished code: it can be copied anywhere and be run there, with the C ABI of doubles and as many parameters as the
/// function has.
#[derive(Clone, Debug)]
pub struct Code {
    /// The machine code, its constants included.
    pub bytes: Vec<u8>,
    /// Where in the bytes it is to be called.
    pub entry: usize,
    /// The bytes of which its address must be a multiple, a power of two.
    pub align: usize,
}
