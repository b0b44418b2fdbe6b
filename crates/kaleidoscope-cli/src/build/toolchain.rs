//! The toolchain of the target: a C compiler, which also links, and the archiver that it names.

use super::failed;
use super::scratch::ScratchFolder;
use crate::args::{BuildKind, BuildOptions};
use crate::refusal::Refusal;
use kaleidoscope::RUNTIME;
use kaleidoscope::ir::compile::{LinkedCallee, LinkedProgram, LinkedTarget};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// How results are linked.
#[derive(Debug)]
pub(super) struct Toolchain {
    cc: OsString,
    is_wasm: bool,
    stack_mib: Option<u32>,
    libraries: Vec<OsString>,
    folders: Vec<OsString>,
}

impl Toolchain {
    pub(super) fn new(options: &BuildOptions) -> Self {
        let is_wasm = options.target.as_deref().is_some_and(|target| target.starts_with("wasm"));
        let cc = options.cc.clone().unwrap_or_else(|| default_cc(options.target.as_deref()).into());
        Self {
            cc,
            is_wasm,
            stack_mib: options.stack,
            libraries: options.libraries.clone(),
            folders: options.library_folders.clone(),
        }
    }

    /// Links the object of a program to an executable or a library.
    ///
    /// # Errors
    /// Why there is no result. What the tools say goes to standard error.
    pub(super) fn link(
        &self,
        kind: BuildKind,
        program: &LinkedProgram,
        object: &[u8],
        output: &Path,
    ) -> Result<(), Refusal> {
        let scratch = ScratchFolder::new().map_err(|error| scratch_failed(&error))?;
        let write =
            |name: &str, bytes: &[u8]| scratch.write(name, bytes).map_err(|error| scratch_failed(&error));
        let object = write("program.o", object)?;
        if self.is_wasm {
            return self.link_wasm(kind, &object, output);
        }
        let runtime = write("runtime.c", RUNTIME.as_bytes())?;
        match kind {
            BuildKind::Exe => {
                let mut cc = self.compiler();
                if let Some(stack) = self.stack_mib {
                    cc.arg(format!("-DKALEIDOSCOPE_STACK_BYTES=((size_t){stack}<<20)"));
                }
                cc.arg(runtime).arg(object).args(["-Wl,--gc-sections", "-o"]).arg(output);
                self.add_libraries(&mut cc, program);
                run(&mut cc)
            }
            BuildKind::Sharedlib => {
                let mut cc = self.compiler();
                cc.args(["-shared", "-fPIC", "-fvisibility=hidden", "-DKALEIDOSCOPE_LIBRARY"]);
                if needs_runtime(program) {
                    cc.arg(runtime);
                }
                cc.arg(object).arg("-o").arg(output);
                self.add_libraries(&mut cc, program);
                run(&mut cc)
            }
            _ => {
                let mut members = vec![object];
                if needs_runtime(program) {
                    let compiled = scratch.path().join("runtime.o");
                    let mut cc = self.compiler();
                    cc.args(["-c", "-fPIC", "-DKALEIDOSCOPE_LIBRARY"]).arg(runtime).arg("-o").arg(&compiled);
                    run(&mut cc)?;
                    members.push(compiled);
                }
                // The archiver would add to what is there.
                match std::fs::remove_file(output) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        let message = format!("cannot replace {}: {error}", output.display());
                        return Err(Refusal::of_file(message, &error));
                    }
                    _ => {}
                }
                run(Command::new(self.archiver()?).arg("rcs").arg(output).args(members))
            }
        }
    }

    /// Links a module with exports. What it lacks are imports.
    fn link_wasm(&self, kind: BuildKind, object: &Path, output: &Path) -> Result<(), Refusal> {
        if kind == BuildKind::Staticlib {
            return Err(Refusal::usage(
                "`--emit staticlib`: WebAssembly has `exe`, `sharedlib`, `obj` and others".to_owned(),
            ));
        }
        let mut linker = Command::new(&self.cc);
        linker.args(["--no-entry", "--export-dynamic", "--allow-undefined"]).arg(object);
        linker.args(self.folders.iter().map(|folder| joined("-L", folder)));
        linker.args(self.libraries.iter().map(|library| joined("-l", library)));
        run(linker.arg("-o").arg(output))
    }

    /// The C compiler with the flags of all its uses.
    fn compiler(&self) -> Command {
        let mut cc = Command::new(&self.cc);
        cc.args(["-O2", "-ffunction-sections", "-fdata-sections"]);
        cc
    }

    fn add_libraries(&self, cc: &mut Command, program: &LinkedProgram) {
        cc.args(self.folders.iter().map(|folder| joined("-L", folder)));
        if !self.libraries.is_empty() {
            // A program may lack the functions of its host until it calls one, so the linker alone
            // would neither take them from archives nor keep shared libraries that have them.
            let hosts = program.unavailable.iter().filter_map(|function| function.host.as_deref());
            cc.args(hosts.map(|host| format!("-Wl,-u,{host}")));
            cc.arg("-Wl,--no-as-needed");
            cc.args(self.libraries.iter().map(|library| joined("-l", library)));
        }
        // Code for old processors calls functions of the maths library where others have
        // instructions.
        cc.args(["-Wl,--as-needed", "-lm"]);
    }

    /// The archiver that belongs to the C compiler.
    fn archiver(&self) -> Result<OsString, Refusal> {
        let output = Command::new(&self.cc).arg("-print-prog-name=ar").stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| cannot_run(&self.cc, &error))?;
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(if name.is_empty() { "ar".into() } else { name.into() })
    }
}

/// The C compiler for a target. Debian's cross compilers are named after the target.
fn default_cc(target: Option<&str>) -> String {
    let Some(target) = target else { return "cc".to_owned() };
    let mut parts = target.split('-');
    let architecture = parts.next().unwrap_or_default();
    if target.starts_with("wasm") {
        // Debian's package of one version has no other name.
        let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
        ["wasm-ld", "wasm-ld-22"].into_iter().find(is_there).unwrap_or("wasm-ld").to_owned()
    } else if architecture == std::env::consts::ARCH {
        "cc".to_owned()
    } else {
        format!("{architecture}-linux-gnu-gcc")
    }
}

fn needs_runtime(program: &LinkedProgram) -> bool {
    let is_runtime = |target: &LinkedTarget| matches!(target, LinkedTarget::Runtime(_));
    !program.unavailable.is_empty() || targets(program).any(|target| is_runtime(&target))
}

/// All targets of calls.
fn targets(program: &LinkedProgram) -> impl Iterator<Item = LinkedTarget> {
    let direct = program.callees.values().filter_map(|callee| match callee {
        LinkedCallee::Direct(target) => Some(*target),
        LinkedCallee::Slot(_) => None,
    });
    let redirected = program.steps.iter().flatten().filter_map(|step| match step {
        kaleidoscope::ir::compile::BuildStep::Redirect(_, target) => Some(*target),
        kaleidoscope::ir::compile::BuildStep::Evaluate { .. } => None,
    });
    direct.chain(redirected).chain(program.slots.iter().map(|slot| slot.first))
}

fn run(command: &mut Command) -> Result<(), Refusal> {
    let program = command.get_program().to_owned();
    let status = command.status().map_err(|error| cannot_run(&program, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!("`{}` failed ({status})", program.display())))
}

fn cannot_run(program: &OsStr, error: &io::Error) -> Refusal {
    let program = program.display();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such program".to_owned(),
        _ => error.to_string(),
    };
    let hint = match program.to_string().contains("wasm-ld") {
        true => "on Debian: `apt install lld`; `--cc` names another one",
        false => "`--cc` names a C compiler for the target",
    };
    failed(format!("cannot run `{program}`, which links the result: {reason}; {hint}"))
}

fn scratch_failed(error: &io::Error) -> Refusal {
    let folder = std::env::temp_dir();
    Refusal::of_file(format!("cannot make files in {}: {error}", folder.display()), error)
}

fn joined(flag: &str, value: &OsStr) -> OsString {
    let mut joined = OsString::from(flag);
    joined.push(value);
    joined
}
