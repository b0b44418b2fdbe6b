//! Loading: finds the shared object, checks that it is whole, and checks its version.

mod whole;

use crate::interface::{Interface, NAME, VERSION};
use crate::remote::Remote;
use kaleidoscope_ir::compile::{Backend, CodeGenerator, CompileError, Settings};
use libloading::Library;
use std::env;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The folders to search, relative to the executable's: beside the executable, and where systems
/// keep the private libraries of programs in `bin`.
const FOLDERS: &[&str] = &["", "../lib/kaleidoscope"];

/// A backend in a shared object. It is loaded when code is first needed, and never unloaded. Clones
/// are the same plug-in.
#[derive(Clone, Debug)]
pub struct Plugin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    loaded: OnceLock<Result<&'static Interface, CompileError>>,
}

impl Plugin {
    /// The plug-in of this name (`kaleidoscope_llvm_plugin`) that belongs to the running
    /// executable: beside it, once symbolic links are resolved, or in `../lib/kaleidoscope`. `None`
    /// if there is no such file, or the executable's own file is gone.
    ///
    /// The file is trusted like the executable, with which it was installed: to be a shared object
    /// made with [`interface()`](crate::interface()) and a backend that keeps the promises of
    /// [`CodeGenerator`].
    ///
    /// # Errors
    /// If there is no memory to find the executable.
    pub fn of_executable(name: &str) -> io::Result<Option<Self>> {
        let executable = match env::current_exe().and_then(|path| path.canonicalize()) {
            Ok(executable) => executable,
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => return Err(error),
            Err(_) => return Ok(None),
        };
        let Some(folder) = executable.parent() else { return Ok(None) };
        let file = Self::file_name(name);
        let mut paths = FOLDERS.iter().map(|within| folder.join(within).join(&file));
        Ok(paths.find(|path| path.is_file()).map(Self::of_file))
    }

    /// The plug-in in this file, which whoever runs the program has named. The file is trusted as
    /// for [`of_executable`](Self::of_executable).
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        let shared = Shared { path: path.into(), loaded: OnceLock::new() };
        Self { shared: Arc::new(shared) }
    }

    /// The file name of the plug-in with this name on this system.
    pub fn file_name(name: &str) -> String {
        format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
    }

    /// The path of the shared object.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Why the shared object cannot be loaded, as a sentence, once that was tried.
    pub fn failure(&self) -> Option<String> {
        let loaded = self.shared.loaded.get()?;
        loaded.as_ref().err().map(ToString::to_string)
    }

    fn interface(&self) -> Result<&'static Interface, CompileError> {
        self.shared.loaded.get_or_init(|| load(&self.shared.path)).clone()
    }
}

impl Backend for Plugin {
    fn start(&self, settings: &Settings) -> Result<Box<dyn CodeGenerator>, CompileError> {
        let interface = self.interface()?;
        // SAFETY: `of_executable` says that the file is trusted.
        let remote = unsafe { Remote::start(interface, settings)? };
        Ok(Box::new(remote))
    }
}

fn load(path: &Path) -> Result<&'static Interface, CompileError> {
    let failed = |reason: String| {
        CompileError::Failed(format!("the plug-in {} cannot be loaded: {reason}", path.display()))
    };
    whole::check(path).map_err(failed)?;
    // The loader's reason is the source of the error.
    let reason = |error: &libloading::Error| {
        let source = error.source().map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    };
    // SAFETY: `of_executable` says that the file is trusted. Loading runs its constructors.
    let library = unsafe { Library::new(path) }.map_err(|error| failed(reason(&error)))?;
    // The library is never unloaded: its code may live as long as the process.
    let library = Box::leak(Box::new(library));
    // SAFETY: the symbol of this name is a static, and its address is a pointer to it.
    let interface =
        *unsafe { library.get::<*const Interface>(NAME) }.map_err(|error| failed(reason(&error)))?;
    // SAFETY: promise 1 of the interface: the first word is the version, in all versions.
    let version = unsafe { interface.cast::<u32>().read() };
    if version != VERSION {
        return Err(CompileError::Failed(format!(
            "the plug-in {} speaks version {version}, this program version {VERSION}: build both together",
            path.display()
        )));
    }
    // SAFETY: promise 1: it is a static of this type, in a library that is never unloaded.
    Ok(unsafe { &*interface })
}
