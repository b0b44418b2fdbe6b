//! The options of a new engine.

use std::ffi::{c_char, c_void};
use std::io;
use std::mem::{offset_of, size_of};
use std::ptr;
use std::time::Duration;

use kaleidoscope::{Builder, Engine, Mode, Output};

use crate::entry::{slice, text};
use crate::error::kls_error;
use crate::host_data::{HostData, kls_destroy};
use crate::observer::{HostObserver, kls_observer};
use crate::status::kls_status;
use crate::versioned;

/// When functions are compiled, and by which compiler.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_mode {
    /// At a function's first call, quickly; again with optimization, in the background, when it is
    /// hot.
    KLS_MODE_TIERED = 0,
    /// At a function's first call, with optimization.
    KLS_MODE_LAZY = 1,
    /// When a function is defined, with optimization.
    KLS_MODE_EAGER = 2,
    /// At a function's first call, quickly, and never again.
    KLS_MODE_BASELINE = 3,
    /// Never: an interpreter runs everything.
    KLS_MODE_OFF = 4,
}

/// Writes a program's output: `length` bytes of UTF-8, without a final NUL; from `putbyte` a single
/// byte of any value. It returns 0, or another number if the output cannot be written. Then the
/// evaluation ends.
///
/// Every thread that uses the engine may call it, several at once. It may use the engine. It must
/// not leave by a C++ exception, longjmp or pthread_exit.
pub type kls_output =
    Option<unsafe extern "C" fn(data: *mut c_void, text: *const c_char, length: usize) -> i32>;

/// Options of a new engine. kls_options_init sets the defaults: 0 and `NULL`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kls_options {
    /// `sizeof (kls_options)`, set by kls_options_init: later versions of this library may have
    /// more fields.
    pub struct_size: usize,
    /// When functions are compiled: a kls_mode.
    pub mode: i32,
    /// The maximum number of compile threads; half the number of processors by default.
    pub compile_threads: u32,
    /// The size in bytes of the stack for the nested calls of one evaluation; by default 256 MiB,
    /// less where memory is limited.
    /// Unused stack takes no memory.
    pub stack_bytes: usize,
    /// The time limit of a call or a top-level expression, compilation included; none by default.
    pub time_limit_microseconds: u64,
    /// The maximum number of functions that programs may name; unlimited by default.
    pub max_functions: usize,
    /// The maximum bytes of machine code in memory; unlimited by default.
    pub max_code_bytes: usize,
    /// The maximum length of one item's text in bytes; unlimited by default.
    pub max_item_bytes: usize,
    /// Where programs write to; the process's standard output by default.
    pub output: kls_output,
    /// The first argument of `output`.
    pub output_data: *mut c_void,
    /// Called once with `output_data`: when kls_engine_new failed, or the last handle of the engine
    /// was freed.
    pub output_destroy: kls_destroy,
    /// The provided functions (printd, sin, …) that programs may use, by name; `NULL` for all.
    /// Unknown names are an error.
    pub provided: *const *const c_char,
    /// The number of names in `provided`.
    pub n_provided: usize,
    /// If not 0: where the system forbids machine code that is made at run time, the engine
    /// interprets everything, as in KLS_MODE_OFF. Otherwise kls_engine_new fails there, or calls
    /// do.
    pub fall_back_to_interpreter: u64,
    /// Receives the engine's events; none by default.
    pub observer: kls_observer,
    /// The first argument of `observer`.
    pub observer_data: *mut c_void,
    /// Called once with `observer_data`: when kls_engine_new failed, or the engine was freed.
    pub observer_destroy: kls_destroy,
}

impl kls_options {
    /// The default options.
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        mode: 0,
        compile_threads: 0,
        stack_bytes: 0,
        time_limit_microseconds: 0,
        max_functions: 0,
        max_code_bytes: 0,
        max_item_bytes: 0,
        output: None,
        output_data: ptr::null_mut(),
        output_destroy: None,
        provided: ptr::null(),
        n_provided: 0,
        fall_back_to_interpreter: 0,
        observer: None,
        observer_data: ptr::null_mut(),
        observer_destroy: None,
    };

    /// The host's options, in the fields that both versions know.
    ///
    /// # Safety
    /// `options` is null, or points to an earlier version of this struct, this one, or a later one,
    /// of the size that its first field says.
    pub(crate) unsafe fn read(options: *const Self) -> Result<(Self, Result<(), kls_error>), kls_error> {
        let least = offset_of!(Self, compile_threads);
        // SAFETY: the caller's promise; the fields are numbers and pointers.
        unsafe { versioned::read(options, least, Self::DEFAULT, "kls_options_init") }
    }

    /// The settings for the engine.
    ///
    /// # Safety
    /// `provided` is null or points to `n_provided` texts.
    pub(crate) unsafe fn builder(
        &self,
        output_data: HostData,
        observer_data: HostData,
    ) -> Result<Builder, kls_error> {
        let limit = |n: usize| if n == 0 { usize::MAX } else { n };
        let mut builder = Engine::builder()
            .mode(self.mode()?)
            .max_functions(limit(self.max_functions))
            .max_code_bytes(limit(self.max_code_bytes))
            .max_item_bytes(limit(self.max_item_bytes));
        if self.fall_back_to_interpreter != 0 {
            builder = builder.fall_back_to_interpreter();
        }
        if self.compile_threads != 0 {
            builder = builder.compile_threads(self.compile_threads as usize);
        }
        if self.stack_bytes != 0 {
            builder = builder.stack_bytes(self.stack_bytes);
        }
        if self.time_limit_microseconds != 0 {
            builder = builder.time_limit(Duration::from_micros(self.time_limit_microseconds));
        }
        if let Some(write) = self.output {
            builder = builder.output(HostOutput { write, data: output_data });
        }
        if let Some(observe) = self.observer {
            builder = builder.observer(HostObserver { observe, data: observer_data });
        }
        if !self.provided.is_null() {
            // SAFETY: the caller's promise.
            let names = unsafe { slice(self.provided, self.n_provided, "provided") }?;
            // SAFETY: the caller's promise.
            let names = names.iter().map(|&name| unsafe { text(name, "provided") });
            builder = builder.provide_only(names.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(builder)
    }

    fn mode(&self) -> Result<Mode, kls_error> {
        const MODES: [(kls_mode, Mode); 5] = [
            (kls_mode::KLS_MODE_TIERED, Mode::Tiered),
            (kls_mode::KLS_MODE_LAZY, Mode::Lazy),
            (kls_mode::KLS_MODE_EAGER, Mode::Eager),
            (kls_mode::KLS_MODE_BASELINE, Mode::Baseline),
            (kls_mode::KLS_MODE_OFF, Mode::Off),
        ];
        let found = MODES.iter().find(|(mode, _)| *mode as i32 == self.mode);
        found.map(|&(_, mode)| mode).ok_or_else(|| {
            kls_error::new(kls_status::KLS_INVALID_ARGUMENT, format!("there is no mode {}", self.mode))
        })
    }
}

/// Sets the default options.
///
/// ```c
/// kls_options options;
/// kls_options_init(&options, sizeof options);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_options_init(options: *mut kls_options, struct_size: usize) {
    // SAFETY: the host's promise.
    unsafe { versioned::init(options, struct_size) };
}

/// An output of the host.
struct HostOutput {
    write: unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> i32,
    data: HostData,
}

impl Output for HostOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: the host's function with the host's data, and the length of the bytes.
        match unsafe { (self.write)(self.data.pointer(), bytes.as_ptr().cast(), bytes.len()) } {
            0 => Ok(()),
            status => Err(io::Error::other(format!("the host's output failed with {status}"))),
        }
    }
}
