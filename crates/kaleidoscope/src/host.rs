//! Host functions: the closures that programs can call.
//!
//! The engine keeps each closure. Generated code calls it on the host stack, and no lock is held.
//! `host/register.rs` has [`crate::Engine::register`]; `host/built_in.rs` has the functions that
//! every engine provides.
//!
//! The trait has a type parameter that callers never name. It lets the compiler infer the closure's
//! parameters. The handlers of web frameworks use the same technique (axum,
//! `axum/src/handler/mod.rs`).

mod built_in;
mod register;

pub(crate) use built_in::{BUILT_IN_HOSTS, OutputError, built_in};
pub(crate) use register::Registration;

use crate::raw::f64_for;
use crate::raw::sealed::Arguments;
use kaleidoscope_jit::{HostClosure, HostError};

/// A closure that programs can call: from zero to eight `f64` to a [`HostValue`], callable from
/// several threads at once.
///
/// The trait is implemented for these closures and for nothing else. `Args` is the tuple of the
/// parameters; the compiler infers it. The parameters need explicit types: `|x: f64| x + 1.0`. For
/// more than eight, use [`Engine::register_slice`](crate::Engine::register_slice).
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

/// The result of a host function: a value, or an error, which ends the evaluation. Implemented for
/// `f64` and `Result<f64, E>`, where `E` is any error, or text.
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
/// assert_eq!(format!("{error:#}"), "`read` failed: invalid float literal");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait HostValue: sealed::HostValue {}

impl<R: sealed::HostValue> HostValue for R {}

mod sealed {
    use super::{HostClosure, HostError};

    pub trait HostFunction<Args>: Send + Sync + 'static {
        const ARITY: u32;

        fn into_closure(self) -> HostClosure;
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

            fn into_closure(self) -> HostClosure {
                Box::new(move |args| {
                    let &[$($arg),*] = args else { unreachable!("the function's stub passes as many arguments as its arity") };
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
