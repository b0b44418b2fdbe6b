//! Finding and loading the shared object.

use crate::interface::{Interface, NAME, VERSION};
use crate::remote::Remote;
use kaleidoscope_ir::compile::{Backend, CodeGenerator, CompileError, Settings};
use libloading::Library;
use std::env;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where a shared object may lie, seen from the folder of the executable: where cargo leaves what it built for a test, where it
/// may have left an older one when it built programs; beside the executable; and where systems keep what belongs to programs in `bin`.
const FOLDERS: &[&str] = &["deps", "", "../lib/kaleidoscope"];

/// A code generator in a shared object, which is loaded when the first code is needed, and stays.
#[derive(Debug)]
pub struct Plugin {
    path: PathBuf,
    loaded: OnceLock<Result<&'static Interface, CompileError>>,
}

impl Plugin {
    /// The plug-in of this name (`kaleidoscope_llvm_plugin`) that belongs to the running executable, if there is one.
    ///
    /// What lies there is trusted as the executable is, with which it was installed: to be a shared object made with
    /// [`interface()`](crate::interface()) and a backend that keeps the promises of [`CodeGenerator`].
    pub fn of_executable(name: &str) -> Option<Self> {
        let executable = env::current_exe().and_then(|path| path.canonicalize()).ok()?;
        let folder = executable.parent()?;
        let file = Self::file_name(name);
        let path =
            FOLDERS.iter().map(|within| folder.join(within).join(&file)).find(|path| path.is_file())?;
        Some(Self { path, loaded: OnceLock::new() })
    }

    /// What the file of the plug-in of this name is called on this system.
    pub fn file_name(name: &str) -> String {
        format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
    }

    /// Where it is.
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
        // SAFETY: what belongs to the executable is trusted as it is (`of_executable`).
        let remote = unsafe { Remote::start(interface, settings)? };
        Ok(Box::new(remote))
    }
}

fn load(path: &Path) -> Result<&'static Interface, CompileError> {
    let failed = |error: &libloading::Error| {
        CompileError::Failed(format!("the plug-in {} cannot be loaded: {error}", path.display()))
    };
    // SAFETY: what belongs to the executable is trusted as it is; what runs while it is loaded are the constructors of a library.
    let library = unsafe { Library::new(path) }.map_err(|error| failed(&error))?;
    // It is never unloaded: code that it made may live as long as the process.
    let library = Box::leak(Box::new(library));
    // SAFETY: under this name there is a static, of which this is the address.
    let interface = *unsafe { library.get::<*const Interface>(NAME) }.map_err(|error| failed(&error))?;
    // SAFETY: promise 1 of the interface: a version is there in all versions.
    let version = unsafe { interface.cast::<u32>().read() };
    if version != VERSION {
        return Err(CompileError::Failed(format!(
            "the plug-in {} speaks version {version}, this program version {VERSION}: build both together",
            path.display()
        )));
    }
    // SAFETY: promise 1: it is a static of this type, in a library that stays.
    Ok(unsafe { &*interface })
}
