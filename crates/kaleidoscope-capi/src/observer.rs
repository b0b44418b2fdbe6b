//! Observers: C functions that receive the events of an engine.

use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use kaleidoscope::{CodeName, Event, MappedRows, Observer, Tier};

use crate::c_text::c_text;
use crate::host_data::HostData;

/// What happened, mostly to a function, formula or top-level expression. Later versions of this
/// library may have more kinds.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_event_kind {
    /// An item of a text was parsed and lowered, or rejected.
    KLS_EVENT_READ = 0,
    /// A function was defined. No code exists. `n_bytes` is the size of its IR.
    KLS_EVENT_DEFINED = 1,
    /// A call reached a function without code, for the first time since it was defined.
    KLS_EVENT_FIRST_CALLED = 2,
    /// The optimizing compiler was started.
    KLS_EVENT_GENERATOR_STARTED = 3,
    /// The optimizing compiler generated its own IR.
    KLS_EVENT_IR_GENERATED = 4,
    /// Machine code was generated, linked and installed. `names` are the inlined functions.
    KLS_EVENT_COMPILED = 5,
    /// A counter tripped: the function will be optimized in the background.
    KLS_EVENT_HOT = 6,
    /// Code was invalidated, because a function that it contains was redefined.
    KLS_EVENT_INVALIDATED = 7,
    /// A thread left invalidated code while it was running. `names` are the functions that were
    /// active in it, outermost first; `text` is the name of the redefined function.
    KLS_EVENT_DEOPTIMIZED = 8,
    /// Machine code was freed.
    KLS_EVENT_RECLAIMED = 9,
    /// A compilation failed; `text` says why.
    KLS_EVENT_COMPILE_FAILED = 10,
    /// A top-level expression ran to its end, or to an error.
    KLS_EVENT_EVALUATED = 11,
    /// A batch ran to its end, or to an error.
    KLS_EVENT_MAPPED = 12,
}

/// The compiler and compile reason that code comes from. Later versions of this library may have
/// more tiers.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_tier {
    /// The event has no tier.
    KLS_TIER_NONE = 0,
    /// Baseline compiler, at the first call or for an expression that runs at once.
    KLS_TIER_BASELINE = 1,
    /// Optimizing compiler, in the background, after a counter tripped.
    KLS_TIER_OPTIMIZED = 2,
    /// Optimizing compiler, at the first call.
    KLS_TIER_LAZY = 3,
    /// Optimizing compiler, before the first call.
    KLS_TIER_EAGER = 4,
    /// Optimizing compiler, for a loop over the rows of a batch.
    KLS_TIER_KERNEL = 5,
}

/// An event. It and its texts are valid until the observer returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kls_event {
    /// The size of this struct in bytes: later versions of this library may have more fields.
    pub struct_size: usize,
    /// What happened.
    pub kind: kls_event_kind,
    /// The compiler of the code; KLS_TIER_NONE if the event has none.
    pub tier: kls_tier,
    /// The function's name; that of a formula or top-level expression begins with `$`. Empty if the
    /// event concerns no function.
    pub name: *const c_char,
    /// The version of the function's definition; 0 if the event concerns no function.
    pub version: u32,
    /// For OSR code, which continues a running loop: the number of the loop, from 0; otherwise -1.
    pub osr_loop: i32,
    /// Bytes of machine code, or of IR in KLS_EVENT_DEFINED; 0 if the event has none.
    pub n_bytes: usize,
    /// How long it took; 0 if the event has no time.
    pub nanoseconds: u64,
    /// A text that the kind describes; empty for other kinds.
    pub text: *const c_char,
    /// Names that the kind describes.
    pub names: *const *const c_char,
    /// The number of names.
    pub n_names: usize,
    /// The rows of a batch that were computed by a compiled loop.
    pub n_rows_by_kernel: usize,
    /// The rows of a batch that were computed without machine code, one operation after the other.
    pub n_rows_by_columns: usize,
    /// The rows of a batch that were computed by single calls.
    pub n_rows_by_calls: usize,
}

/// Receives the events of an engine: one for each change in the life of a function.
///
/// The engine calls it with `data` on the thread where the event happens, also on compile threads,
/// and several threads may call it at once. It may use the engine, with care: each use may emit
/// events, of which it is the observer, too. Interrupts and time limits wait until it returns.
///
/// It must not free the last handle of the engine, nor keep the event. It must not leave by a C++
/// exception, longjmp or pthread_exit, which ends the process.
pub type kls_observer = Option<unsafe extern "C" fn(data: *mut c_void, event: *const kls_event)>;

/// An observer of the host.
pub(crate) struct HostObserver {
    pub(crate) observe: unsafe extern "C" fn(*mut c_void, *const kls_event),
    pub(crate) data: HostData,
}

impl Observer for HostObserver {
    fn observe(&self, event: &Event) {
        let Some(event) = Described::new(event) else { return };
        let name = c_text(event.code.map_or("", |code| &code.name));
        let text = c_text(event.text);
        let names: Vec<CString> = event.names.iter().map(|name| c_text(&**name)).collect();
        let names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let event = kls_event {
            struct_size: size_of::<kls_event>(),
            kind: event.kind,
            tier: event.tier,
            name: name.as_ptr(),
            version: event.code.map_or(0, |code| code.version),
            osr_loop: event.osr_loop.and_then(|number| i32::try_from(number).ok()).unwrap_or(-1),
            n_bytes: event.n_bytes,
            nanoseconds: u64::try_from(event.took.as_nanos()).unwrap_or(u64::MAX),
            text: text.as_ptr(),
            names: if names.is_empty() { ptr::null() } else { names.as_ptr() },
            n_names: names.len(),
            n_rows_by_kernel: event.rows.by_kernel,
            n_rows_by_columns: event.rows.by_columns,
            n_rows_by_calls: event.rows.by_calls,
        };
        // SAFETY: the host's function with the host's data; the event lives until it returns.
        unsafe { (self.observe)(self.data.pointer(), &raw const event) };
    }
}

/// The parts of an event.
struct Described<'a> {
    kind: kls_event_kind,
    tier: kls_tier,
    code: Option<&'a CodeName>,
    osr_loop: Option<usize>,
    n_bytes: usize,
    took: Duration,
    text: &'a str,
    names: &'a [Arc<str>],
    rows: MappedRows,
}

impl<'a> Described<'a> {
    /// `None` for an event that this crate does not know.
    fn new(event: &'a Event) -> Option<Self> {
        use kls_event_kind as kind;
        let of = |kind, code| Self {
            kind,
            tier: kls_tier::KLS_TIER_NONE,
            code,
            osr_loop: None,
            n_bytes: 0,
            took: Duration::ZERO,
            text: "",
            names: &[],
            rows: MappedRows::default(),
        };
        Some(match event {
            Event::Read { took } => Self { took: *took, ..of(kind::KLS_EVENT_READ, None) },
            Event::Defined { code, ir_bytes } => {
                Self { n_bytes: *ir_bytes, ..of(kind::KLS_EVENT_DEFINED, Some(code)) }
            }
            Event::FirstCalled { code } => of(kind::KLS_EVENT_FIRST_CALLED, Some(code)),
            Event::GeneratorStarted { took } => {
                Self { took: *took, ..of(kind::KLS_EVENT_GENERATOR_STARTED, None) }
            }
            Event::IrGenerated { code, took } => {
                Self { took: *took, ..of(kind::KLS_EVENT_IR_GENERATED, Some(code)) }
            }
            Event::Compiled { code, tier, osr_loop, inlined, times, bytes } => Self {
                tier: described_tier(*tier),
                osr_loop: *osr_loop,
                names: inlined,
                took: times.total(),
                n_bytes: *bytes,
                ..of(kind::KLS_EVENT_COMPILED, Some(code))
            },
            Event::Hot { code, osr_loop } => {
                Self { osr_loop: *osr_loop, ..of(kind::KLS_EVENT_HOT, Some(code)) }
            }
            Event::Invalidated { code, osr_loop } => {
                Self { osr_loop: *osr_loop, ..of(kind::KLS_EVENT_INVALIDATED, Some(code)) }
            }
            Event::Deoptimized { code, osr_loop, inside, redefined } => Self {
                osr_loop: *osr_loop,
                names: inside,
                text: redefined,
                ..of(kind::KLS_EVENT_DEOPTIMIZED, Some(code))
            },
            Event::Reclaimed { code, tier, bytes } => Self {
                tier: described_tier(*tier),
                n_bytes: *bytes,
                ..of(kind::KLS_EVENT_RECLAIMED, Some(code))
            },
            Event::CompileFailed { code, reason } => {
                Self { text: reason, ..of(kind::KLS_EVENT_COMPILE_FAILED, Some(code)) }
            }
            Event::Evaluated { code, took } => {
                Self { took: *took, ..of(kind::KLS_EVENT_EVALUATED, Some(code)) }
            }
            Event::Mapped { code, rows, took } => {
                Self { rows: *rows, took: *took, ..of(kind::KLS_EVENT_MAPPED, Some(code)) }
            }
            _ => return None,
        })
    }
}

fn described_tier(tier: Tier) -> kls_tier {
    match tier {
        Tier::Baseline => kls_tier::KLS_TIER_BASELINE,
        Tier::Optimized => kls_tier::KLS_TIER_OPTIMIZED,
        Tier::Lazy => kls_tier::KLS_TIER_LAZY,
        Tier::Eager => kls_tier::KLS_TIER_EAGER,
        Tier::Kernel => kls_tier::KLS_TIER_KERNEL,
        _ => kls_tier::KLS_TIER_NONE,
    }
}
