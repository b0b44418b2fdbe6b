//! The intermediate representation of Kaleidoscope, and everything that needs nothing but the IR.
//!
//! A [`Function`] is a linear list of structured operations ([`Op`]) over doubles: what a front end
//! produces, what the interpreter runs, and what the baseline and the optimizing compiler read.
//!
//! The modules, in the order to read them:
//!
//! | module | what it has |
//! |---|---|
//! | [`Function`], [`op`] | functions, operations and the promises that every reader relies on |
//! | [`mod@array`] | which numbers are indices of arrays of the host |
//! | [`FunctionBuilder`] | makes a function operation by operation, for front ends |
//! | [`mod@verify`] | checks the promises |
//! | [`facts`] | loops, calls, assigned variables: computed once per function |
//! | [`flow`] | basic blocks and their edges, for tools that show control flow |
//! | [`text`] | the printed form, and a parser for it |
//! | [`interpreter`] | runs a function without machine code |
//! | [`mod@column`] | applies a function to columns without machine code |
//! | [`maths`] | the functions of C's maths library that programs may call |
//! | [`mod@walk`] | lowers structured control flow to events, for code generators |
//! | [`compile`] | what an engine asks of a code generator, and what it answers |
//!
//! ```
//! use kaleidoscope_ir::{Function, verify::verify};
//!
//! let power: Function = "
//!     function power(x.0 n.1), locals result.2 i.3
//!         number 1
//!         set result.2
//!         drop
//!         number 1
//!         set i.3
//!         drop
//!         loop
//!           get result.2
//!           get x.0
//!           multiply
//!           set result.2
//!           drop
//!           number 1              ; the step
//!           get i.3
//!           get n.1
//!           less                  ; the condition
//!         next i.3
//!         get result.2
//! "
//! .parse()?;
//! verify(&power)?;
//! assert_eq!(power.facts().loops.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate touches no files, clocks, threads or environment, and knows neither LLVM nor the text
//! of any language.

#![deny(unsafe_code)]

mod builder;
mod function;
mod id;
mod positions;

pub mod array;
pub mod column;
pub mod compile;
pub mod flow;
pub mod interpreter;
pub mod maths;
pub mod number;
pub mod op;
pub mod text;
pub mod verify;
pub mod walk;

pub use builder::FunctionBuilder;
pub use function::facts::{CallFacts, Facts, LoopFacts, OpCounts};
pub use function::liveness::Liveness;
pub use function::{Function, facts};
pub use id::{FunctionId, HostArray, HostVariable, Local, OpIdx};
pub use maths::MathsFunction;
pub use op::{Arithmetic, Bracket, Op};
pub use positions::{SourcePosition, SourcePositions, VariableScope};
