//! How an engine is set up, by a host in C.

use std::ffi::{c_char, c_void};
use std::io;
use std::mem::{offset_of, size_of};
use std::ptr;
use std::time::Duration;

use kaleidoscope::{Builder, Engine, Mode, Output};

use crate::callback::{HostData, kls_destroy};
use crate::entry::{slice, text};
use crate::error::{kls_error, kls_status};

/// When an engine makes code.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_mode {
    /// Quickly at a function's first call; again and better, in the background, when it has become hot.
    KLS_MODE_TIERED = 0,
    /// Well at a function's first call: a function that is never called costs no code.
    KLS_MODE_LAZY = 1,
    /// When a function is defined.
    KLS_MODE_EAGER = 2,
    /// Quickly at a function's first call, and never again.
    KLS_MODE_BASELINE = 3,
    /// Never: everything is interpreted.
    KLS_MODE_OFF = 4,
}

/// Takes what programs write: `length` bytes of UTF-8, not ended by NUL. Gives 0, or anything else if the text cannot be
/// written, which ends the evaluation.
///
/// It may be called by every thread that uses the engine, and by several at once; it may use the engine. It must not leave by a
/// C++ exception or longjmp.
pub type kls_output =
    Option<unsafe extern "C" fn(data: *mut c_void, text: *const c_char, length: usize) -> i32>;

/// Settings of an engine to be made. kls_options_init fills them in; 0 and `NULL` mean that a setting is as usual.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kls_options {
    /// `sizeof (kls_options)`, set by kls_options_init: later versions of this library may know more.
    pub struct_size: usize,
    /// When code is made: one of kls_mode.
    pub mode: i32,
    /// The most threads that make code in the background; usually half as many as there are processors.
    pub compile_threads: u32,
    /// The most memory in bytes that nested calls may take within one evaluation; usually 256 MiB, of which only what is used takes
    /// memory.
    pub stack_bytes: usize,
    /// The longest time that a call or a top-level expression may take, compiling included; usually any.
    pub time_limit_microseconds: u64,
    /// The most functions that programs may name; usually any number.
    pub max_functions: usize,
    /// The most bytes of machine code in memory at once; usually any number.
    pub max_code_bytes: usize,
    /// The most bytes of text that one item may have; usually any number.
    pub max_item_bytes: usize,
    /// Where programs write to; usually the process's standard output.
    pub output: kls_output,
    /// Given to `output`.
    pub output_data: *mut c_void,
    /// Called once with `output_data` when nobody needs it any more: when kls_engine_new has failed, or the last handle of the
    /// engine is gone.
    pub output_destroy: kls_destroy,
    /// Which of the functions that an engine usually provides (printd, sin, …) programs may use; `NULL` for all. Names of others
    /// are passed over.
    pub provided: *const *const c_char,
    /// How many names stand in `provided`.
    pub n_provided: usize,
}

impl kls_options {
    /// Everything is as usual.
    const USUAL: Self = Self {
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
    };

    /// The host's options, as far as both sides know them.
    ///
    /// # Safety
    /// `options` is null, or points to as many bytes as stand in its first field, which are an earlier version of this struct,
    /// this one, or a later one.
    pub(crate) unsafe fn read(options: *const Self) -> Result<(Self, Result<(), kls_error>), kls_error> {
        let mut read = Self::USUAL;
        if options.is_null() {
            return Ok((read, Ok(())));
        }
        // SAFETY: not null; the size is what every version begins with.
        let struct_size = unsafe { options.cast::<usize>().read() };
        let bytes = options.cast::<u8>();
        if struct_size < offset_of!(Self, compile_threads) {
            let message = "`options` was not filled in by kls_options_init";
            return Err(kls_error::new(kls_status::KLS_INVALID_ARGUMENT, message));
        }
        let known = struct_size.min(size_of::<Self>());
        // SAFETY: so many bytes are there on both sides; whatever version it is, they are fields of this struct or the beginning
        // of one that an earlier version did not have, which is 0.
        unsafe { ptr::copy_nonoverlapping(bytes, (&raw mut read).cast(), known) };
        // SAFETY: the host has said that there are so many.
        let bytes = unsafe { slice(bytes, struct_size, "options") }?;
        let unknown = &bytes[known..];
        if unknown.iter().any(|&byte| byte != 0) {
            let message = "`options` asks for what this version of the library does not know";
            return Ok((read, Err(kls_error::new(kls_status::KLS_INVALID_ARGUMENT, message))));
        }
        Ok((read, Ok(())))
    }

    /// The engine's own settings.
    ///
    /// # Safety
    /// `provided` is null or points to `n_provided` texts.
    pub(crate) unsafe fn builder(&self, output_data: HostData) -> Result<Builder, kls_error> {
        let usual = |n: usize| if n == 0 { usize::MAX } else { n };
        let mut builder = Engine::builder()
            .mode(self.mode()?)
            .max_functions(usual(self.max_functions))
            .max_code_bytes(usual(self.max_code_bytes))
            .max_item_bytes(usual(self.max_item_bytes));
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

/// Fills in the options of an engine to be made, as they usually are.
///
/// ```c
/// kls_options options;
/// kls_options_init(&options, sizeof options);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_options_init(options: *mut kls_options, struct_size: usize) {
    if options.is_null() || struct_size < size_of::<usize>() {
        return;
    }
    // SAFETY: the host's promise: so many bytes are its options; 0 is a value of every field.
    unsafe { ptr::write_bytes(options.cast::<u8>(), 0, struct_size) };
    // SAFETY: the first field of every version.
    unsafe { options.cast::<usize>().write(struct_size) };
}

/// An output of the host's.
struct HostOutput {
    write: unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> i32,
    data: HostData,
}

impl Output for HostOutput {
    fn write(&self, text: &str) -> io::Result<()> {
        // SAFETY: the host's function with the host's data, and a text of this length.
        match unsafe { (self.write)(self.data.pointer(), text.as_ptr().cast(), text.len()) } {
            0 => Ok(()),
            status => Err(io::Error::other(format!("the host's output failed with {status}"))),
        }
    }
}
