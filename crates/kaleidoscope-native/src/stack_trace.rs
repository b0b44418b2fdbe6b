//! Stack traces of generated code: a short chain of program counters, read through frame pointers.
//!
//! The walk reads only the guest stack, whatever a frame pointer says. So code without frame
//! pointers gives a shorter trace, never a fault. The walk runs in signal handlers: it writes to a
//! fixed buffer, allocates nothing and takes no lock.

use std::cell::Cell;

use crate::address::CodeAddress;
use crate::arch::{SignalContext, StackSwitch};
use crate::guest_stack::GuestStack;

/// The largest number of frames in a trace.
const N_FRAMES: usize = 32;

/// Where generated code was when it was exited: at most 32 frames of the innermost call, the
/// innermost frame first.
///
/// The first address is the next instruction, or, like all others, the instruction after a call.
/// To find the function that contains a call, look up the address minus 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackTrace(Box<[CodeAddress]>);

impl StackTrace {
    /// The addresses, innermost first.
    pub fn addresses(&self) -> &[CodeAddress] {
        &self.0
    }

    /// The innermost address.
    pub fn top(&self) -> Option<CodeAddress> {
        self.0.first().copied()
    }
}

/// A thread's buffer for a trace, until the trace is taken.
#[derive(Debug)]
pub(crate) struct StackTraceBuffer {
    addresses: [Cell<usize>; N_FRAMES],
    n: Cell<usize>,
}

impl StackTraceBuffer {
    pub(crate) fn new() -> Self {
        Self { addresses: [const { Cell::new(0) }; N_FRAMES], n: Cell::new(0) }
    }

    /// Records the frames of generated code that made an upcall.
    pub(crate) fn record_upcall(&self, stack: &GuestStack, stack_switch: &StackSwitch) {
        self.n.set(0);
        self.walk(stack, stack_switch, stack_switch.guest_sp(), stack_switch.guest_fp());
    }

    /// Records the frames of generated code that a signal interrupted with these registers.
    pub(crate) fn record_interrupted(
        &self,
        stack: &GuestStack,
        stack_switch: &StackSwitch,
        registers: &SignalContext,
    ) {
        self.n.set(0);
        self.push(registers.pc());
        self.walk(stack, stack_switch, registers.sp(), registers.fp());
    }

    /// Takes the recorded trace, and empties the buffer.
    pub(crate) fn take(&self) -> StackTrace {
        let n = self.n.replace(0);
        StackTrace(self.addresses[..n].iter().map(|address| CodeAddress::new(address.get())).collect())
    }

    fn push(&self, address: usize) {
        let n = self.n.get();
        self.addresses[n].set(address);
        self.n.set(n + 1);
    }

    fn walk(&self, stack: &GuestStack, stack_switch: &StackSwitch, sp: usize, mut fp: usize) {
        let mut lowest = sp.max(stack.low());
        let end = stack_switch.top() - 2 * size_of::<usize>();
        while self.n.get() < N_FRAMES && (lowest..=end).contains(&fp) && fp.is_multiple_of(size_of::<usize>())
        {
            // SAFETY: two words inside the guest stack, below the top of the running call, which
            // can be read at any time; no reference to them exists, and only this thread writes
            // them.
            let [next, pc] = unsafe { (fp as *const [usize; 2]).read_volatile() };
            if next == stack_switch.frame() {
                // The frame of the outermost function, which returns into this crate.
                break;
            }
            self.push(pc);
            lowest = fp + 1;
            fp = next;
        }
    }
}
