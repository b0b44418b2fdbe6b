//! Kaleidoscope's engine for C and C++: the crate `kaleidoscope` behind a C ABI.
//!
//! `include/kaleidoscope.h` is made from what is documented here, and is what a host reads; `examples/plugin_host.c` is a host.
//!
//! What holds for every function:
//!
//! 1. No panic leaves it: it becomes [`kls_status::KLS_PANIC`].
//! 2. Pointers are checked for null and texts for being UTF-8. Texts end by NUL.
//! 3. What a function gives through `kls_…**` is the host's, to be given back by the `_free` of its type, once. `NULL` may be given
//!    back too. What is given by `const …*` belongs to what it was asked of, and lives as long.
//! 4. `error` may be `NULL`. If not, it is set by every call: to `NULL`, or to an error that is the host's.
//! 5. Every handle may be used by several threads at once, and given back by any of them, when no call uses it any more. Where
//!    that is otherwise, it is said.
//!
//! The promises that the host makes by calling are the same for all: pointers are null or point to what their type says, which
//! nobody changes while the call runs; handles are such as were given by this library and not yet given back.

#![allow(unsafe_code, reason = "this crate is a fence around hosts in C")]
#![allow(non_camel_case_types, reason = "the types have the names that they have in C")]
#![allow(clippy::missing_safety_doc, reason = "what a host promises is the same for all, and said above")]

mod callback;
mod diagnostics;
mod engine;
mod entry;
mod error;
mod function;
mod options;
mod outcome;
mod scope;
mod variable;

pub use callback::{kls_call, kls_call_fail, kls_callback, kls_destroy, kls_engine_register};
pub use diagnostics::{kls_diagnostic, kls_severity};
pub use engine::{
    kls_engine, kls_engine_fork, kls_engine_free, kls_engine_interrupt, kls_engine_new, kls_engine_prelude,
    kls_engine_remove, kls_engine_run, kls_engine_within, kls_version,
};
pub use error::{
    kls_error, kls_error_code, kls_error_diagnostic, kls_error_free, kls_error_message,
    kls_error_n_diagnostics, kls_error_status, kls_error_text, kls_status,
};
pub use function::{
    kls_address, kls_engine_formula, kls_engine_function, kls_function, kls_function_address,
    kls_function_arity, kls_function_call, kls_function_call_within, kls_function_free, kls_function_map,
    kls_function_prepare,
};
pub use options::{kls_mode, kls_options, kls_options_init, kls_output};
pub use outcome::{
    kls_outcome, kls_outcome_diagnostic, kls_outcome_free, kls_outcome_n_diagnostics, kls_outcome_n_values,
    kls_outcome_text, kls_outcome_value,
};
pub use scope::{kls_engine_enter, kls_scope, kls_scope_body, kls_scope_call};
pub use variable::{
    kls_engine_bind, kls_variable, kls_variable_free, kls_variable_get, kls_variable_new, kls_variable_place,
    kls_variable_set,
};
