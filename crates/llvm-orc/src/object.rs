//! Object files in memory: compilers create them and dylibs link them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object::{Object as _, ObjectSection as _, SectionKind};

use crate::error::{Error, ErrorKind};

/// A relocatable object file in memory, from a [`Compiler`](crate::Compiler) or another source.
///
/// Clones share the bytes.
#[derive(Clone)]
pub struct Object {
    bytes: Arc<[u8]>,
    timings: Timings,
}

/// Duration of each step of compiling an [`Object`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Filling the module with IR, in the caller's closure.
    pub fill: Duration,
    /// Verifying the module and running the pass pipeline.
    pub optimize: Duration,
    /// Generating machine code and writing the object file.
    pub codegen: Duration,
}

impl Timings {
    /// Sum of all steps.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.fill + self.optimize + self.codegen
    }
}

impl Object {
    /// An object file from another source.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the bytes are not an object file.
    ///
    /// # Safety
    /// The linker does not check the file, and its code is executed: the bytes must be a
    /// well-formed relocatable object for this machine, from a compiler that you trust.
    pub unsafe fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Object, Error> {
        let bytes = bytes.into();
        object::File::parse(&*bytes)
            .map_err(|error| Error::new(ErrorKind::Object, format!("not an object file: {error}")))?;
        Ok(Object { bytes, timings: Timings::default() })
    }

    /// An object file that LLVM created.
    pub(crate) fn trusted(bytes: Arc<[u8]>) -> Object {
        Object { bytes, timings: Timings::default() }
    }

    #[cfg(feature = "inkwell")]
    pub(crate) fn compiled(bytes: Arc<[u8]>, timings: Timings) -> Object {
        Object { bytes, timings }
    }

    /// The object file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Duration of each step of compiling the object. All zero for an object from another source.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// Number of bytes of machine code: the sum of the sizes of executable sections.
    #[must_use]
    pub fn code_bytes(&self) -> u64 {
        let Ok(file) = object::File::parse(&*self.bytes) else { return 0 };
        file.sections()
            .filter(|section| section.kind() == SectionKind::Text)
            .map(|section| section.size())
            .sum()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("n_bytes", &self.bytes.len())
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
