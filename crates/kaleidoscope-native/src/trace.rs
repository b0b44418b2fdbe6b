//! Where generated code was: a short chain of program counters, read through frame pointers.
//!
//! Reads nothing but the guest stack, whatever a frame pointer says: code without frame pointers gives a shorter trace,
//! never a fault. Runs in signal handlers: it writes into a fixed place, allocates nothing and takes no lock.

use std::cell::Cell;

use crate::address::CodeAddress;
use crate::call::Activation;
use crate::thread::Thread;

/// The most frames in a trace.
const N_FRAMES: usize = 32;

/// Where generated code was when it was left: the innermost frame first, 32 at most, of the innermost call only.
///
/// The first is the instruction that was about to run, or, like all others, the one after a call. To find a function of
/// the others, look up the address before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackTrace(Box<[CodeAddress]>);

impl StackTrace {
    /// Where the generated code is that has called into [`Runtime::materialize`](crate::Runtime::materialize) or
    /// [`Runtime::host_call`](crate::Runtime::host_call), for the use of these two; empty elsewhere.
    pub fn capture() -> Self {
        let Some(thread) = Thread::known() else { return Self::default() };
        let Some(activation) = thread.innermost() else { return Self::default() };
        if !activation.crossing().is_running() {
            return Self::default();
        }
        thread.trace.record_asking(activation);
        thread.trace.take()
    }

    /// The addresses, innermost first.
    pub fn addresses(&self) -> &[CodeAddress] {
        &self.0
    }

    /// The innermost address.
    pub fn top(&self) -> Option<CodeAddress> {
        self.0.first().copied()
    }
}

/// The place where a trace is recorded before it can be handed out.
#[derive(Debug)]
pub(crate) struct Recorder {
    addresses: [Cell<usize>; N_FRAMES],
    n: Cell<usize>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { addresses: [const { Cell::new(0) }; N_FRAMES], n: Cell::new(0) }
    }

    /// Records the frames of generated code that has called to ask.
    pub(crate) fn record_asking(&self, activation: &Activation<'_>) {
        self.n.set(0);
        let fp = activation.crossing().guest_fp();
        self.walk(activation, activation.crossing().guest_sp(), fp);
    }

    /// Records the frames of generated code interrupted at `pc`.
    pub(crate) fn record_interrupted(&self, activation: &Activation<'_>, pc: usize, sp: usize, fp: usize) {
        self.n.set(0);
        self.push(pc);
        self.walk(activation, sp, fp);
    }

    /// What has been recorded.
    pub(crate) fn take(&self) -> StackTrace {
        let n = self.n.replace(0);
        StackTrace(self.addresses[..n].iter().map(|address| CodeAddress::new(address.get())).collect())
    }

    fn push(&self, address: usize) {
        let n = self.n.get();
        self.addresses[n].set(address);
        self.n.set(n + 1);
    }

    fn walk(&self, activation: &Activation<'_>, sp: usize, mut fp: usize) {
        let stack = activation.stack();
        let mut lowest = sp.max(stack.low());
        let end = activation.crossing().top() - 2 * size_of::<usize>();
        while self.n.get() < N_FRAMES && (lowest..=end).contains(&fp) && fp.is_multiple_of(size_of::<usize>())
        {
            // SAFETY: two words inside the stack of the activation, which can be read at any time; no reference to them
            // exists, and the thread that writes them is this one.
            let [next, pc] = unsafe { (fp as *const [usize; 2]).read_volatile() };
            if next == activation.crossing().frame() {
                // The frame of the outermost function, which returns into this crate.
                break;
            }
            self.push(pc);
            lowest = fp + 1;
            fp = next;
        }
    }
}
