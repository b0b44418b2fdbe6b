//! The runtime: what generated code needs from its engine while it runs.

use crate::address::CodeAddress;
use crate::stub_id::{HostId, StubId};
use crate::trap::Trap;

/// What generated code requests from its engine while it runs.
///
/// Both methods may block, compile, and make guarded calls of their own. Both run on the thread
/// that runs the generated code, on its host stack, while no lock of this crate is held. A panic
/// in either ends the call with [`Trap::Panic`].
///
/// # Safety
/// The code that `materialize` returns must satisfy the contract of
/// [`Stub::redirect`](crate::Stub::redirect) for that stub, at least until the call that requested the
/// code has left it.
pub unsafe trait Runtime: Sync {
    /// Provides code for a stub that was called while its slot pointed to the lazy entry.
    ///
    /// The call continues in the returned code. Later calls find the code only if this method
    /// redirects the stub.
    ///
    /// Runs in the engine's floating-point mode ([`in_engine_mode`](crate::in_engine_mode)).
    ///
    /// # Errors
    /// A trap ends the innermost [`call`](crate::call()).
    fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap>;

    /// Returns the value of a host function.
    ///
    /// Runs in the host's floating-point mode. A mode that the function sets lasts until it
    /// returns.
    ///
    /// # Errors
    /// A trap ends the innermost [`call`](crate::call()).
    fn host_call(&self, host: HostId, args: &[f64]) -> Result<f64, Trap>;
}
