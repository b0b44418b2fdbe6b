//! An embeddable, extremely lazy JIT for the Kaleidoscope language.
