//! Kaleidoscope's engine for C and C++: the crate `kaleidoscope` with a C ABI.
//!
//! `cargo xtask header` generates `include/kaleidoscope.h` from this documentation, for hosts.
//! `include/kaleidoscope.hpp` has classes for C++ over it. `examples/plugin_host.c` and
//! `examples/formulas.cpp` are hosts.
//!
//! Rules for every function:
//!
//! 1. No panic leaves it. A panic becomes [`kls_status::KLS_PANIC`].
//! 2. Pointers are checked for null, and texts for UTF-8. A NUL ends each text.
//! 3. The host owns what it receives through `kls_…**`, and frees it once by the `_free` of its
//!    type. `NULL` may be freed. A `const …*` belongs to the object that returned it, and is valid
//!    as long as that object.
//! 4. `error` may be `NULL`. If not, every call sets it: to `NULL`, or to an error that the host
//!    owns.
//! 5. Several threads may use a handle at once. Any thread may free it when no call uses it any
//!    more. Exceptions are documented.
//!
//! By each call, the host promises the same: pointers are null or point to what their type says,
//! and no thread changes it during the call. Handles come from this library and were not freed.

#![allow(unsafe_code, reason = "this crate is the boundary to hosts in C")]
#![allow(non_camel_case_types, reason = "the types have the names that they have in C")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the host's promises are the same for all functions, and documented above"
)]

mod array;
mod c_text;
mod callback;
mod diagnostics;
mod engine;
mod entry;
mod error;
mod error_access;
mod formulas;
mod function;
mod host_data;
mod host_failure;
mod map_options;
mod observer;
mod options;
mod outcome;
mod scope;
mod status;
mod variable;
mod versioned;

pub use array::{
    kls_array, kls_array_free, kls_array_n_elements, kls_array_new, kls_array_place, kls_engine_bind_array,
};
pub use callback::{kls_call, kls_call_fail, kls_call_fail_with, kls_callback, kls_engine_register};
pub use diagnostics::{kls_diagnostic, kls_severity};
pub use engine::{
    kls_engine, kls_engine_fork, kls_engine_free, kls_engine_interrupt, kls_engine_new, kls_engine_prelude,
    kls_engine_remove, kls_engine_run, kls_engine_within, kls_version,
};
pub use error::kls_error;
pub use error_access::{
    kls_error_code, kls_error_data, kls_error_diagnostic, kls_error_free, kls_error_message,
    kls_error_n_diagnostics, kls_error_row, kls_error_status, kls_error_text,
};
pub use formulas::{
    kls_engine_formulas, kls_formulas, kls_formulas_call, kls_formulas_fold, kls_formulas_free,
    kls_formulas_map, kls_formulas_map_with, kls_formulas_scan,
};
pub use function::{
    kls_address, kls_engine_formula, kls_engine_function, kls_function, kls_function_address,
    kls_function_arity, kls_function_call, kls_function_call_within, kls_function_fold, kls_function_free,
    kls_function_map, kls_function_map_with, kls_function_prepare, kls_function_scan,
};
pub use host_data::kls_destroy;
pub use map_options::{kls_map_options, kls_map_options_init, kls_precision};
pub use observer::{kls_event, kls_event_kind, kls_observer, kls_tier};
pub use options::{kls_mode, kls_options, kls_options_init, kls_output};
pub use outcome::{
    kls_outcome, kls_outcome_diagnostic, kls_outcome_free, kls_outcome_n_diagnostics, kls_outcome_n_values,
    kls_outcome_text, kls_outcome_value,
};
pub use scope::{kls_engine_enter, kls_scope, kls_scope_body, kls_scope_call};
pub use status::kls_status;
pub use variable::{
    kls_engine_bind, kls_variable, kls_variable_free, kls_variable_get, kls_variable_new, kls_variable_place,
    kls_variable_set,
};
