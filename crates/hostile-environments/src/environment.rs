//! The environments: each a way to run a program.

use crate::arch::{FloatingPoint, in_mode};
use crate::process;
use crate::subject::Subject;
use nix::sys::resource::{Resource, setrlimit};
use std::thread;

/// An environment.
pub(crate) struct Environment {
    pub(crate) name: &'static str,
    /// What it is, for the table.
    pub(crate) about: &'static str,
    pub(crate) run: fn(Subject),
}

/// All environments, in the order of the table.
pub(crate) const ENVIRONMENTS: &[Environment] = &[
    Environment { name: "friendly", about: "nothing is hostile", run: Subject::run_here },
    Environment {
        name: "address-space-150m",
        about: "150 MB of address space left (`ulimit -v`)",
        run: |subject| limited(subject, Resource::RLIMIT_AS, process::address_space() + (150 << 20)),
    },
    Environment {
        name: "address-space-600m",
        about: "600 MB of address space left: no room for a compile thread's stack",
        run: |subject| limited(subject, Resource::RLIMIT_AS, process::address_space() + (600 << 20)),
    },
    Environment {
        name: "data-20m",
        about: "20 MB of private memory (`ulimit -d`)",
        run: |subject| limited(subject, Resource::RLIMIT_DATA, 20 << 20),
    },
    Environment {
        name: "file-size-0",
        about: "files may have no bytes (`ulimit -f 0`)",
        run: |subject| limited(subject, Resource::RLIMIT_FSIZE, 0),
    },
    Environment {
        name: "file-size-100k",
        about: "files may have 100 KiB",
        run: |subject| limited(subject, Resource::RLIMIT_FSIZE, 100 << 10),
    },
    Environment {
        name: "no-files",
        about: "no file descriptor is left (`ulimit -n`)",
        run: |subject| limited(subject, Resource::RLIMIT_NOFILE, 3),
    },
    Environment {
        name: "no-locked-memory",
        about: "no memory may be locked (`ulimit -l 0`)",
        run: |subject| limited(subject, Resource::RLIMIT_MEMLOCK, 0),
    },
    Environment {
        name: "no-threads",
        about: "no thread can be started",
        run: |subject| {
            process::refuse(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN);
            subject.run_here();
        },
    },
    Environment {
        name: "no-memfd",
        about: "seccomp refuses anonymous files",
        run: |subject| {
            process::refuse(&[libc::SYS_memfd_create], libc::EPERM);
            subject.run_here();
        },
    },
    Environment {
        name: "no-signal-queue",
        about: "seccomp refuses the signal that keeps time limits",
        run: |subject| {
            process::refuse(&[libc::SYS_rt_tgsigqueueinfo, libc::SYS_tgkill], libc::EPERM);
            subject.run_here();
        },
    },
    Environment {
        name: "no-executable-memory",
        about: "no memory becomes executable (`MemoryDenyWriteExecute=`)",
        run: |subject| {
            process::deny_executable_memory();
            subject.run_here();
        },
    },
    Environment {
        name: "forked",
        about: "the child of a fork, with an engine of its own",
        run: |subject| {
            if let Ok(engine) = subject.engine() {
                Subject::warm_up(&engine);
            }
            process::in_child(|| subject.run_here());
        },
    },
    Environment {
        name: "forked-engine",
        about: "the child of a fork, with the parent's engine",
        run: |subject| match subject.engine() {
            Ok(engine) => {
                Subject::warm_up(&engine);
                process::in_child(|| subject.run_in(&engine));
            }
            Err(error) => println!("no engine: {error}"),
        },
    },
    Environment {
        name: "pid-1",
        about: "the first process of a container",
        run: |subject| process::as_first_process(|| subject.run_here()),
    },
    Environment {
        name: "no-proc",
        about: "`/proc` is not there",
        run: |subject| {
            process::hide_proc();
            subject.run_here();
        },
    },
    Environment {
        name: "signals-blocked",
        about: "the thread blocks all signals, before its first call",
        run: |subject| {
            process::block_signals();
            subject.run_here();
        },
    },
    Environment {
        name: "signals-blocked-later",
        about: "the thread blocks all signals, after its first call",
        run: |subject| after_a_call(subject, process::block_signals),
    },
    Environment {
        name: "no-signal-stack",
        about: "the thread disables its signal stack, after its first call",
        run: |subject| after_a_call(subject, process::disable_signal_stack),
    },
    Environment {
        name: "round-down",
        about: "the thread rounds down",
        run: |subject| in_mode(FloatingPoint::RoundDown, || subject.run_here()),
    },
    Environment {
        name: "round-up",
        about: "the thread rounds up",
        run: |subject| in_mode(FloatingPoint::RoundUp, || subject.run_here()),
    },
    Environment {
        name: "flush-to-zero",
        about: "the thread treats subnormal numbers as zero",
        run: |subject| in_mode(FloatingPoint::FlushToZero, || subject.run_here()),
    },
    Environment {
        name: "floating-point-traps",
        about: "the thread traps at floating-point exceptions",
        run: |subject| in_mode(FloatingPoint::Traps, || subject.run_here()),
    },
    Environment {
        name: "thread-local-destructor",
        about: "a destructor of a thread that ends",
        run: |subject| {
            let thread = thread::spawn(move || {
                process::at_end_of_thread(Box::new(move || subject.run_here()));
                // Makes thread-locals of the engine, which are destroyed before the destructor
                // runs.
                if let Ok(engine) = subject.engine() {
                    Subject::warm_up(&engine);
                }
            });
            thread.join().expect("the thread does not panic");
        },
    },
    Environment {
        name: "stack-256k",
        about: "a thread with 256 KiB of stack",
        run: |subject| on_thread(subject, 256 << 10),
    },
    Environment {
        name: "stack-64k",
        about: "a thread with 64 KiB of stack",
        run: |subject| on_thread(subject, 64 << 10),
    },
    Environment {
        name: "stack-16k",
        about: "a thread with 16 KiB of stack",
        run: |subject| on_thread(subject, 16 << 10),
    },
];

fn limited(subject: Subject, resource: Resource, bytes: u64) {
    setrlimit(resource, bytes, bytes).expect("a limit may be lowered");
    subject.run_here();
}

fn after_a_call(subject: Subject, enter: fn()) {
    match subject.engine() {
        Ok(engine) => {
            Subject::warm_up(&engine);
            enter();
            subject.run_in(&engine);
        }
        Err(error) => println!("no engine: {error}"),
    }
}

fn on_thread(subject: Subject, stack_bytes: usize) {
    let thread = thread::Builder::new().stack_size(stack_bytes).spawn(move || subject.run_here());
    thread.expect("a thread starts").join().expect("the thread does not panic");
}
