//! Functions of the host: what a closure must be to become a function of programs.
//!
//! A closure is kept behind a number (`host/table.rs`), and code reaches it through a stub of that number, on the host's
//! stack and with no lock held. [`crate::Engine::register`] is in `host/register.rs`, what every program knows from the
//! start in `host/provided.rs`.
//!
//! That a closure's parameters are found by a parameter of the trait, which nobody names, is an idea of web frameworks'
//! handlers (axum, `axum/src/handler/mod.rs`).

mod provided;
mod register;
mod table;

pub(crate) use provided::{PROVIDED_FUNCTIONS, maths_entry};
pub(crate) use register::Registration;
pub(crate) use table::{HostEntry, HostTable};

use crate::raw::f64_for;
use crate::raw::sealed::Arguments;
use std::error::Error;

/// A closure that programs can call: of none to eight `f64`, giving a [`HostValue`]; callable from several threads
/// at once. Implemented for all these and nothing else; `Args` is the tuple of the parameters, and found by the compiler.
///
/// The parameters of a closure need their types written down: `|x: f64| x + 1.0`. For more than eight there is
/// [`Engine::register_slice`](crate::Engine::register_slice).
///
/// ```
/// use kaleidoscope::{Engine, Error, HostFunction};
///
/// /// Registers a function under two names.
/// fn register_twice<Args>(engine: &Engine, f: impl HostFunction<Args> + Clone) -> Result<(), Error> {
///     engine.register("first", f.clone())?;
///     engine.register("second", f)
/// }
///
/// let engine = Engine::new()?;
/// register_twice(&engine, |x: f64, y: f64| x - y)?;
/// assert_eq!(engine.run("first(5, 3) + second(1, 1);").values().next(), Some(2.0));
/// # Ok::<(), Error>(())
/// ```
pub trait HostFunction<Args>: sealed::HostFunction<Args> {}

impl<Args, F: sealed::HostFunction<Args>> HostFunction<Args> for F {}

/// What a function of the host gives back: a value, or an error, which ends the evaluation. Implemented for `f64` and
/// `Result<f64, E>`, where `E` is any error, or text.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine};
/// use std::num::ParseFloatError;
///
/// let engine = Engine::new()?;
/// let read = || -> Result<f64, ParseFloatError> { "12 apples".parse() };
/// engine.register("read", read)?;
/// let error = engine.function::<()>("read")?.call(()).unwrap_err();
/// assert_eq!(error.code(), DiagnosticCode::HostError);
/// assert_eq!(error.to_string(), "`read` failed: invalid float literal");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait HostValue: sealed::HostValue {}

impl<R: sealed::HostValue> HostValue for R {}

/// An error of the host's.
pub(crate) type HostError = Box<dyn Error + Send + Sync>;

/// A function of the host, which takes as many arguments as it was registered for.
pub(crate) type HostCall = Box<dyn Fn(&[f64]) -> Result<f64, HostError> + Send + Sync>;

mod sealed {
    use super::{HostCall, HostError};

    pub trait HostFunction<Args>: Send + Sync + 'static {
        const ARITY: u32;

        fn into_call(self) -> HostCall;
    }

    pub trait HostValue {
        fn into_result(self) -> Result<f64, HostError>;
    }

    impl HostValue for f64 {
        fn into_result(self) -> Result<f64, HostError> {
            Ok(self)
        }
    }

    impl<E: Into<HostError>> HostValue for Result<f64, E> {
        fn into_result(self) -> Result<f64, HostError> {
            self.map_err(E::into)
        }
    }
}

macro_rules! host_function {
    ($($arg:ident)*) => {
        impl<F, R> sealed::HostFunction<($(f64_for!($arg),)*)> for F
        where
            F: Fn($(f64_for!($arg)),*) -> R + Send + Sync + 'static,
            R: HostValue,
        {
            const ARITY: u32 = <($(f64_for!($arg),)*) as Arguments>::ARITY;

            fn into_call(self) -> HostCall {
                Box::new(move |args| {
                    let &[$($arg),*] = args else { unreachable!("its stub has its arity") };
                    self($($arg),*).into_result()
                })
            }
        }
    };
}

host_function! {}
host_function! { a }
host_function! { a b }
host_function! { a b c }
host_function! { a b c d }
host_function! { a b c d e }
host_function! { a b c d e f }
host_function! { a b c d e f g }
host_function! { a b c d e f g h }
