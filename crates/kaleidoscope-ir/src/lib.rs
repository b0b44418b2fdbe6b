//! The intermediate representation of Kaleidoscope, and everything that needs nothing but the IR.
//!
//! A [`Function`] is a linear list of structured operations ([`Op`]) over doubles: what a front end
//! produces, what the interpreter runs, and what the baseline and the optimizing compiler read.
//!
//! Read in this order: [`Function`] and [`Op`] say what a program is, [`FunctionBuilder`] how a
//! front end makes one, [`verify`] what every reader relies on, [`facts`] what is computed of a
//! function once, [`text`] how a function is printed, [`interpreter`] how it runs without machine
//! code, [`maths`] which functions of C's maths library it may call, and [`compile`] what an
//! engine asks of a code generator.
//!
//! This crate touches no files, clocks, threads or environment, and knows neither LLVM nor the text
//! of any language.

#![deny(unsafe_code)]

mod builder;
mod function;

pub mod compile;
pub mod facts;
pub mod interpreter;
pub mod maths;
pub mod number;
pub mod op;
pub mod text;
pub mod verify;

pub use builder::FunctionBuilder;
pub use facts::{CallFacts, Facts, LoopFacts, OpCounts};
pub use function::{Function, FunctionId, HostVariable, Local, OpIdx};
pub use maths::MathsFunction;
pub use op::{Arithmetic, Bracket, Op};
