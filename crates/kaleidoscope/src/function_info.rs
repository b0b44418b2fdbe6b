//! Function information: lists the functions of an engine, and removes them.

use crate::program::Program;
use crate::{Engine, Error};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_lang::names::NameState;
use std::sync::Arc;

/// A function that programs can call by name. From [`Engine::functions`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// The name, for example `fib`; of operators `unary!` or `binary|`.
    pub name: Arc<str>,
    /// The number of arguments.
    pub arity: usize,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a function comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A `def` of a program.
    Program {
        /// The number of this definition among those of the name, from 1.
        version: u32,
        /// The names of the parameters, in order.
        parameters: Vec<Arc<str>>,
        /// The text of the definition.
        source: Arc<str>,
    },
    /// C's maths library.
    Maths,
    /// The engine itself, or a registration by the application.
    Host,
    /// An `extern` that the host does not provide.
    Declared,
}

impl Engine {
    /// All functions that programs can call by name, operators included. They are in the order in
    /// which each pair of name and arity first occurred.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Origin};
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def area(w h) w * h;").ok()?;
    /// let area = engine.functions().into_iter().find(|function| &*function.name == "area").expect("it is defined");
    /// let Origin::Program { parameters, source, .. } = area.origin else { panic!("it is the program's") };
    /// assert_eq!(parameters.join(", "), "w, h");
    /// assert_eq!(&*source, "def area(w h) w * h");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn functions(&self) -> Vec<FunctionInfo> {
        let program = self.shared.program();
        program.names.known().filter_map(|id| self.info(&program, id)).collect()
    }

    /// The function of this name, if there is one.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Origin};
    ///
    /// let engine = Engine::new()?;
    /// assert_eq!(engine.function_info("atan2").map(|function| (function.arity, function.origin)), Some((2, Origin::Maths)));
    /// assert!(engine.function_info("nothing").is_none());
    /// # Ok::<(), kaleidoscope::Error>(())
    /// ```
    pub fn function_info(&self, name: &str) -> Option<FunctionInfo> {
        let program = self.shared.program();
        let id = program.names.current(name)?;
        self.info(&program, id)
    }

    /// Removes a function of the program, of the maths library or of the host. An operator has the
    /// name of its function, for example `binary|`.
    ///
    /// From then on the name is undefined, both in text that is read and for calls in compiled
    /// code. Programs and host can define it again.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def twice(f) f * 2; def four(x) twice(twice(x));").ok()?;
    /// let four = engine.function::<(f64,)>("four")?;
    /// engine.remove("twice")?;
    /// assert_eq!(four.call((1.0,)).unwrap_err().code(), DiagnosticCode::UndefinedCalled);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::UnknownFunction`](crate::ErrorKind::UnknownFunction) if no function has the
    ///   name.
    /// - [`ErrorKind::Observer`](crate::ErrorKind::Observer) if an observer of the removal
    ///   panicked. The function is removed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        self.admit()?;
        let mut program = self.shared.program();
        let Some(id) = program.names.current(name).filter(|&id| !program.is_formula(id)) else {
            return Err(Error::unknown_function(name));
        };
        let superseded = self.withdraw(&mut program, id).map_err(Error::of_trap)?;
        drop(program);
        self.jit.settle(superseded).map_err(Error::of_trap)
    }

    /// The information on a function; `None` for a formula.
    fn info(&self, program: &Program, id: FunctionId) -> Option<FunctionInfo> {
        if program.is_formula(id) {
            return None;
        }
        let signature = program.names.signature(id).clone();
        let origin = match program.names.state(id) {
            NameState::Maths(_) => Origin::Maths,
            NameState::Host => Origin::Host,
            NameState::Declared => Origin::Declared,
            _ => {
                let function = self.jit.ir(id)?;
                Origin::Program {
                    version: self.jit.version(id),
                    parameters: function.locals[..function.n_params as usize].to_vec(),
                    source: Arc::clone(program.source(id)?),
                }
            }
        };
        Some(FunctionInfo { name: signature.name, arity: signature.arity as usize, origin })
    }
}
