//! The machine under a lazy JIT: slots, stubs, the lazy entry, guarded calls.
