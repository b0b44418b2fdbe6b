//! Busy processes: they take the processors from the tests.

use std::os::unix::process::parent_id;
use std::process::{Child, Command};

use crate::check::Group;

/// How many.
pub(super) const N_BUSY: usize = 4;

/// The busy processes, which end when this value is dropped.
pub(super) struct Load(Vec<(Group, Child)>);

impl Load {
    /// Starts the processes: this program with the chore `busy`.
    ///
    /// # Errors
    ///
    /// When they cannot be started.
    pub(super) fn start() -> Result<Self, String> {
        let itself = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let processes = (0..N_BUSY).map(|_| Group::start(Command::new(&itself).arg("busy")));
        Ok(Self(processes.collect::<Result<_, _>>()?))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for (group, mut child) in self.0.drain(..) {
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
