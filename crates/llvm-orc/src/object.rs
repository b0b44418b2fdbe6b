//! Object files in memory: what a compiler gives and a dylib links.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object::{Object as _, ObjectSection as _, SectionKind};

use crate::error::{Error, ErrorKind};

/// A relocatable object file in memory, made by a [`Compiler`](crate::Compiler) or read from elsewhere.
///
/// Copies share the bytes.
#[derive(Clone)]
pub struct Object {
    bytes: Arc<[u8]>,
    timings: Timings,
}

/// How long each step of making an [`Object`] took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Filling the module with IR: the time in the caller's closure.
    pub fill: Duration,
    /// Checking the module and running the pass pipeline.
    pub optimize: Duration,
    /// Making machine code and writing the object file.
    pub codegen: Duration,
}

impl Timings {
    /// All steps together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.fill + self.optimize + self.codegen
    }
}

impl Object {
    /// An object file that was made earlier or by someone else.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the bytes are no ELF object file.
    ///
    /// # Safety
    /// The linker believes what the file says of itself, and the code in it is run as it is: the bytes must be
    /// a well-formed relocatable object for this machine, from a compiler you trust.
    pub unsafe fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Object, Error> {
        let bytes = bytes.into();
        object::File::parse(&*bytes)
            .map_err(|error| Error::new(ErrorKind::Object, format!("not an object file: {error}")))?;
        Ok(Object { bytes, timings: Timings::default() })
    }

    /// An object of LLVM's own making.
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

    /// How long each step of making it took; all zero for one that was not made here.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// How many bytes of machine code it holds: the sizes of its executable sections.
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
