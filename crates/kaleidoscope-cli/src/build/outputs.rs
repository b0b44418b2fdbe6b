//! Results of a build: which there are, and where they go.

use crate::args::{BuildKind, BuildOptions};
use crate::refusal::Refusal;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The results that the options ask for.
#[derive(Debug)]
pub(super) struct Outputs {
    kinds: BTreeSet<BuildKind>,
    /// `-o`, or what follows from the first file.
    output: PathBuf,
    /// The name of the module, and in the header.
    name: String,
    is_named: bool,
    is_wasm: bool,
}

impl Outputs {
    /// # Errors
    /// If the results cannot go to standard output, or one would replace a file that is built.
    pub(super) fn new(options: &BuildOptions) -> Result<Self, Refusal> {
        let kinds: BTreeSet<_> = options.emit.iter().copied().collect();
        let first = options.files.first().filter(|file| *file != Path::new("-"));
        let stem = first.and_then(|file| file.file_stem()).map_or_else(|| "program".into(), PathBuf::from);
        let output = options.output.clone();
        let named = output.as_deref().filter(|output| *output != Path::new("-")).unwrap_or(&stem);
        let name = named.file_stem().unwrap_or(named.as_os_str()).to_string_lossy().into_owned();
        let is_wasm = options.target.as_deref().is_some_and(|target| target.starts_with("wasm"));
        let is_named = output.is_some();
        let outputs = Self { kinds, output: output.unwrap_or(stem), name, is_named, is_wasm };
        if outputs.is_standard_output() && !outputs.kinds.iter().copied().all(is_text) {
            return Err(Refusal::usage(
                "`-o -`: only assembly, LLVM IR as text and headers go to standard output".to_owned(),
            ));
        }
        outputs.refuse_folders()?;
        outputs.keep_inputs(&options.files)?;
        Ok(outputs)
    }

    /// Refuses results that are folders: `-o name/` names one, and no file.
    fn refuse_folders(&self) -> Result<(), Refusal> {
        if self.is_standard_output() {
            return Ok(());
        }
        let names_folder =
            self.output.as_os_str().as_encoded_bytes().ends_with(b"/") || self.output.file_name().is_none();
        let folder = if names_folder {
            Some(self.output.clone())
        } else {
            self.kinds.iter().map(|&kind| self.path(kind)).find(|path| path.is_dir())
        };
        let Some(folder) = folder else { return Ok(()) };
        let message = format!("{} is a folder; `-o` names the file of the result", folder.display());
        Err(Refusal::usage(message))
    }

    /// Refuses results that have the path of a file that is built.
    fn keep_inputs(&self, inputs: &[PathBuf]) -> Result<(), Refusal> {
        // The same file may have several paths.
        let real = |path: &Path| fs::canonicalize(path).ok();
        let inputs: Vec<_> = inputs.iter().filter_map(|input| real(input)).collect();
        for path in self.kinds.iter().map(|&kind| self.path(kind)) {
            if real(&path).is_some_and(|path| inputs.contains(&path)) {
                let message =
                    format!("{} is built, and cannot be the result; `-o` names another", path.display());
                return Err(Refusal::usage(message));
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, kind: BuildKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether results are WebAssembly modules, whose functions can always be called.
    pub(super) fn is_wasm(&self) -> bool {
        self.is_wasm
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a result runs the program's expressions.
    pub(super) fn needs_program(&self) -> bool {
        self.has(BuildKind::Exe) || !self.needs_library()
    }

    /// Whether a result is a library.
    pub(super) fn needs_library(&self) -> bool {
        [BuildKind::Staticlib, BuildKind::Sharedlib, BuildKind::Header].iter().any(|kind| self.has(*kind))
    }

    /// The results that are made of the program. Code is that of the executable, if there is one.
    pub(super) fn of_program(&self) -> impl Iterator<Item = BuildKind> {
        self.kinds
            .iter()
            .copied()
            .filter(|&kind| kind == BuildKind::Exe || is_code(kind) && self.needs_program())
    }

    /// The results that are made of the library.
    pub(super) fn of_library(&self) -> impl Iterator<Item = BuildKind> {
        let is_of_library = |kind: &BuildKind| match kind {
            BuildKind::Staticlib | BuildKind::Sharedlib => true,
            BuildKind::Exe | BuildKind::Header => false,
            BuildKind::Obj | BuildKind::Asm | BuildKind::LlvmIr | BuildKind::LlvmBc => !self.needs_program(),
        };
        self.kinds.iter().copied().filter(is_of_library)
    }

    /// Where the result goes. A single one has exactly the name of `-o`.
    pub(super) fn path(&self, kind: BuildKind) -> PathBuf {
        if self.is_named && self.kinds.len() == 1 {
            return self.output.clone();
        }
        let name = self.output.file_name().unwrap_or_default().to_string_lossy();
        let name = match kind {
            BuildKind::Exe if self.is_wasm => format!("{name}.wasm"),
            BuildKind::Exe => name.into_owned(),
            BuildKind::Obj => format!("{name}.o"),
            BuildKind::Asm => format!("{name}.s"),
            BuildKind::LlvmIr => format!("{name}.ll"),
            BuildKind::LlvmBc => format!("{name}.bc"),
            BuildKind::Staticlib => format!("lib{name}.a"),
            BuildKind::Sharedlib if self.is_wasm => format!("lib{name}.wasm"),
            BuildKind::Sharedlib => format!("lib{name}.so"),
            BuildKind::Header => format!("{name}.h"),
        };
        self.output.with_file_name(name)
    }

    /// Writes a result.
    ///
    /// # Errors
    /// Why the file cannot be written.
    pub(super) fn write(&self, kind: BuildKind, bytes: &[u8]) -> Result<(), Refusal> {
        if self.is_standard_output() {
            let written = io::stdout().write_all(bytes).and_then(|()| io::stdout().flush());
            return written.map_err(|error| {
                Refusal::of_file(format!("cannot write to standard output: {error}"), &error)
            });
        }
        let path = self.path(kind);
        fs::write(&path, bytes)
            .map_err(|error| Refusal::of_file(format!("cannot write {}: {error}", path.display()), &error))
    }

    fn is_standard_output(&self) -> bool {
        self.output == Path::new("-")
    }
}

fn is_code(kind: BuildKind) -> bool {
    matches!(kind, BuildKind::Obj | BuildKind::Asm | BuildKind::LlvmIr | BuildKind::LlvmBc)
}

fn is_text(kind: BuildKind) -> bool {
    matches!(kind, BuildKind::Asm | BuildKind::LlvmIr | BuildKind::Header)
}
