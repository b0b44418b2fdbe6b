//! Busy processes: they take the processors from the tests.

use std::fs::File;
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::process::{Child, Command};

use crate::check::Group;
use crate::fuzz;
use crate::steps::root;

/// How many. As many as there are fuzz targets.
pub(super) const N_BUSY: usize = 4;

/// The busy processes, which end when this value is dropped.
pub(super) struct Load(Vec<Process>);

struct Process {
    group: Group,
    child: Child,
    /// Where a fuzz target writes. Other processes write nothing.
    output: Option<PathBuf>,
}

impl Load {
    /// Starts the processes: this program with the chore `busy`.
    ///
    /// # Errors
    ///
    /// When they cannot be started.
    pub(super) fn start() -> Result<Self, String> {
        let itself = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let start = |_| {
            let (group, child) = Group::start(Command::new(&itself).arg("busy"))?;
            Ok(Process { group, child, output: None })
        };
        Ok(Self((0..N_BUSY).map(start).collect::<Result<_, String>>()?))
    }

    /// Starts the fuzz targets, which search while the tests run. They are built first.
    ///
    /// # Errors
    ///
    /// When they cannot be built or started, or are not [`N_BUSY`].
    pub(super) fn fuzzers() -> Result<Self, String> {
        let commands = fuzz::commands(u64::from(u32::MAX))?;
        if commands.len() != N_BUSY {
            return Err(format!("there are {} fuzz targets, not {N_BUSY}", commands.len()));
        }
        let start = |(target, mut command): (String, Command)| {
            let path = root().join(format!("target/soak/fuzz-{target}.log"));
            let opened = File::create(&path).and_then(|file| Ok((file.try_clone()?, file)));
            let (stdout, stderr) = opened.map_err(|error| format!("{}: {error}", path.display()))?;
            let (group, child) = Group::start(command.stdout(stdout).stderr(stderr))?;
            Ok(Process { group, child, output: Some(path) })
        };
        Ok(Self(commands.into_iter().map(start).collect::<Result<_, String>>()?))
    }

    /// Ends the processes.
    ///
    /// # Errors
    ///
    /// Where a fuzz target that has found something wrote it.
    pub(super) fn end(mut self) -> Result<(), String> {
        let found = self.0.iter_mut().filter_map(|process| {
            let output = process.output.as_ref()?;
            // It would go on if it had found nothing.
            matches!(process.child.try_wait(), Ok(Some(_))).then(|| output.display().to_string())
        });
        let found: Vec<String> = found.collect();
        if found.is_empty() { Ok(()) } else { Err(format!("a fuzz target ended: {}", found.join(", "))) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for Process { group, mut child, .. } in self.0.drain(..) {
            drop(group);
            drop(child.wait());
        }
    }
}

/// Computes for no purpose until the process that started this one is gone.
pub(crate) fn busy() {
    let parent = parent_id();
    let mut number = 1_u64;
    while parent_id() == parent {
        for _ in 0..1_000_000 {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}
