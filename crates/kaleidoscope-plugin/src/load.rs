//! Loading: finds the shared object and checks its version.

use crate::interface::{Interface, NAME, VERSION};
use crate::remote::Remote;
use kaleidoscope_ir::compile::{Backend, CodeGenerator, CompileError, Settings};
use libloading::Library;
use std::env;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folders to search, relative to the executable's: where cargo leaves the libraries of tests
/// (beside the executable there may be an older one), beside the executable, and where systems keep
/// the private libraries of programs in `bin`.
const FOLDERS: &[&str] = &["deps", "", "../lib/kaleidoscope"];

/// A backend in a shared object. It is loaded when code is first needed, and never unloaded.
#[derive(Debug)]
pub struct Plugin {
    path: PathBuf,
    loaded: OnceLock<Result<&'static Interface, CompileError>>,
}

impl Plugin {
    /// The plug-in of this name (`kaleidoscope_llvm_plugin`) that belongs to the running
    /// executable. `None` if there is no such file.
    ///
    /// The file is trusted like the executable, with which it was installed: to be a shared object
    /// made with [`interface()`](crate::interface()) and a backend that keeps the promises of
    /// [`CodeGenerator`].
    pub fn of_executable(name: &str) -> Option<Self> {
        let executable = env::current_exe().and_then(|path| path.canonicalize()).ok()?;
        let folder = executable.parent()?;
        let file = Self::file_name(name);
        let path =
            FOLDERS.iter().map(|within| folder.join(within).join(&file)).find(|path| path.is_file())?;
        Some(Self { path, loaded: OnceLock::new() })
    }

    /// The file name of the plug-in with this name on this system.
    pub fn file_name(name: &str) -> String {
        format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
    }

    /// The path of the shared object.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn interface(&self) -> Result<&'static Interface, CompileError> {
        self.loaded.get_or_init(|| load(&self.path)).clone()
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
    let failed = |error: &libloading::Error| {
        CompileError::Failed(format!("the plug-in {} cannot be loaded: {error}", path.display()))
    };
    // SAFETY: `of_executable` says that the file is trusted. Loading runs its constructors.
    let library = unsafe { Library::new(path) }.map_err(|error| failed(&error))?;
    // The library is never unloaded: its code may live as long as the process.
    let library = Box::leak(Box::new(library));
    // SAFETY: the symbol of this name is a static, and its address is a pointer to it.
    let interface = *unsafe { library.get::<*const Interface>(NAME) }.map_err(|error| failed(&error))?;
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
