//! The parts of `./check`. Adding a part is adding a row to [`PARTS`].
//!
//! The steps of the core share one set of packages and features, so that each crate is compiled
//! once for checking and once for running. What needs other features is a part of its own.

use std::time::Duration;

use super::editors;
use super::needs::{Install, Need};
use super::python;
use crate::tidy;

/// The part that runs when no part is named.
pub(crate) const CORE: &str = "core";

/// A named group of steps.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// What it checks, for `./check list`.
    pub(crate) about: &'static str,
    /// What is installed before the steps run, if it is missing.
    pub(crate) needs: &'static [Need],
    /// The time that its steps have together. The running command is killed when it is over.
    pub(crate) limit: Duration,
    pub(crate) steps: &'static [Step],
}

/// A row of the table of results.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
}

/// What a step does.
pub(crate) enum Action {
    /// Runs cargo with these arguments, which are separated by spaces.
    Cargo(&'static str),
    /// Runs cargo with these arguments and environment variables.
    CargoWith(&'static str, &'static [(&'static str, &'static str)]),
    /// Calls a function of this program.
    Inside(fn() -> Result<(), String>),
}

/// Time limit of every part but the core.
const LIMIT: Duration = Duration::from_secs(600);

/// Time limit of the core. It takes under 8 minutes with 2 processors and nothing built; the limit
/// only ends what hangs.
const CORE_LIMIT: Duration = Duration::from_secs(1800);

const RUSTFMT: Need = Need {
    name: "rustfmt",
    probe: &["cargo", "fmt", "--version"],
    install: Install::Command(&["rustup", "component", "add", "rustfmt"]),
};

const CLIPPY: Need = Need {
    name: "clippy",
    probe: &["cargo", "clippy", "--version"],
    install: Install::Command(&["rustup", "component", "add", "clippy"]),
};

const fn debian(name: &'static str, probe: &'static [&'static str]) -> Need {
    Need { name, probe, install: Install::Apt }
}

/// All parts, in the order in which they run.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: CORE,
        about: "format, tidy, clippy, tests, documentation",
        needs: &[RUSTFMT, CLIPPY],
        limit: CORE_LIMIT,
        steps: &[
            Step { name: "format", action: Action::Cargo("fmt --all --check") },
            Step { name: "tidy", action: Action::Inside(|| tidy::run(&tidy::Options::default())) },
            Step {
                name: "clippy",
                action: Action::Cargo(
                    "clippy --quiet --workspace --all-targets --features kaleidoscope/arrow \
                     -- --deny warnings",
                ),
            },
            // The C library is left out: with the features of the workspace, LLVM would be linked
            // into both its forms. The part `c` tests it. The benchmarks are left out: each is one
            // more executable with LLVM. The part `benches` tests them.
            Step {
                name: "tests",
                action: Action::Cargo(
                    "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches \
                     --tests --no-fail-fast -- --skip corpus:: --skip random::fixed_seeds --skip random::fresh_seeds \
                     --skip built:: --skip cross:: --skip debuggers::",
                ),
            },
            Step {
                name: "documentation tests",
                action: Action::Cargo(
                    "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches --doc",
                ),
            },
            Step {
                name: "documentation",
                action: Action::CargoWith(
                    "doc --quiet --workspace --no-deps --features kaleidoscope/arrow",
                    &[("RUSTDOCFLAGS", "--deny warnings")],
                ),
            },
        ],
    },
    Part {
        name: "c",
        about: "the C library, shared, static and installed, with programs in C and C++, also under Valgrind",
        needs: &[
            debian("gcc", &["cc", "--version"]),
            debian("g++", &["c++", "--version"]),
            debian("valgrind", &["valgrind", "--version"]),
            debian("pkg-config", &["pkg-config", "--version"]),
            debian("cmake", &["cmake", "--version"]),
            debian("make", &["make", "--version"]),
        ],
        limit: LIMIT,
        steps: &[Step {
            name: "programs in C and C++",
            action: Action::Cargo("test --quiet --package kaleidoscope-capi --tests"),
        }],
    },
    Part {
        name: "debuggers",
        about: "GDB and LLDB on programs that run with -g: break, backtrace, print, step, watch",
        needs: &[debian("gdb", &["gdb", "--version"]), debian("lldb-22", &["lldb-22", "--version"])],
        limit: LIMIT,
        steps: &[Step {
            name: "sessions",
            action: Action::Cargo(
                "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches \
                 --test cli -- debuggers::",
            ),
        }],
    },
    Part {
        name: "fuzz",
        about: "every input of fuzz/corpus, without a nightly toolchain",
        needs: &[],
        limit: LIMIT,
        steps: &[Step {
            name: "corpora",
            action: Action::Cargo(
                "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches \
                 --test all -- corpus::",
            ),
        }],
    },
    Part {
        name: "random",
        about: "1000 random programs from a fixed seed, and others from a fresh seed for 2 minutes",
        needs: &[],
        limit: LIMIT,
        steps: &[Step {
            name: "programs",
            action: Action::CargoWith(
                "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches \
                 --test all -- random::fixed_seeds random::fresh_seeds --nocapture",
                &[("RANDOM_SECONDS", "120")],
            ),
        }],
    },
    Part {
        name: "built",
        about: "case files, examples and random programs built ahead of time, and the texts of numbers",
        needs: &[debian("gcc", &["cc", "--version"])],
        limit: LIMIT,
        steps: &[Step {
            name: "executables",
            action: Action::Cargo(
                "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches \
                 --test all -- built::",
            ),
        }],
    },
    Part {
        name: "cross",
        about: "programs built for AArch64 under QEMU, and for WebAssembly in Node",
        needs: &[
            debian("gcc-aarch64-linux-gnu", &["aarch64-linux-gnu-gcc", "--version"]),
            debian("libc6-dev-arm64-cross", &["test", "-e", "/usr/aarch64-linux-gnu/include/stdio.h"]),
            debian("qemu-user", &["qemu-aarch64", "--version"]),
            debian("lld-22", &["wasm-ld-22", "--version"]),
            debian("nodejs", &["node", "--version"]),
        ],
        limit: LIMIT,
        steps: &[Step {
            name: "programs",
            action: Action::Cargo(
                "test --quiet --workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches \
                 --test all --test cli -- cross::",
            ),
        }],
    },
    Part {
        name: "stress",
        about: "the tests of engine and library while everything is hot and code is invalidated at random",
        needs: &[],
        limit: LIMIT,
        steps: &[Step {
            name: "tests",
            // Left out: tests that count tier-ups or deoptimizations, or measure memory.
            action: Action::Cargo(
                "test --quiet --package kaleidoscope --package kaleidoscope-jit \
                 --features kaleidoscope/llvm,kaleidoscope/stress --lib --test engine --test jit --no-fail-fast \
                 -- --skip memory:: --skip tiers:: --skip deoptimization::",
            ),
        }],
    },
    Part {
        name: "models",
        about: "models of threads without locks, in every order that loom finds",
        needs: &[],
        limit: LIMIT,
        steps: &[Step {
            name: "reclaiming code",
            action: Action::Cargo("test --quiet --package kaleidoscope-jit --features models --lib models::"),
        }],
    },
    Part {
        name: "hostile",
        about: "programs in every mode without memory, files, threads, signals, executable memory and others",
        needs: &[debian("gcc", &["cc", "--version"])],
        limit: LIMIT,
        steps: &[
            Step {
                name: "environments",
                action: Action::Cargo("run --quiet --package hostile-environments"),
            },
            Step {
                name: "the command",
                action: Action::Cargo(
                    "build --quiet --package kaleidoscope-cli --package kaleidoscope-llvm-plugin",
                ),
            },
            Step {
                name: "failures of the nth request",
                action: Action::Cargo("run --quiet --package hostile-environments -- failures"),
            },
        ],
    },
    Part {
        name: "features",
        about: "crates with other features: without LLVM, without threads, with Arrow, LLVM 23",
        needs: &[],
        limit: LIMIT,
        steps: &[
            Step {
                name: "library without LLVM, with Arrow",
                action: Action::Cargo(
                    "test --quiet --package kaleidoscope --package kaleidoscope-jit --lib --tests \
                     --features kaleidoscope/arrow",
                ),
            },
            Step {
                name: "engine and its second language without LLVM",
                action: Action::Cargo("test --quiet --package kaleidoscope-jit --lib --tests"),
            },
            Step {
                name: "library without threads",
                action: Action::Cargo(
                    "check --quiet --package kaleidoscope --package kaleidoscope-jit \
                     --no-default-features --all-targets",
                ),
            },
            Step {
                name: "llvm-orc without its C++ files",
                action: Action::Cargo(
                    "test --quiet --package llvm-orc --tests --no-default-features \
                     --features llvm22-1,inkwell",
                ),
            },
            // Needs no LLVM 23: nothing is linked.
            Step {
                name: "llvm-orc for LLVM 23",
                action: Action::Cargo(
                    "check --quiet --package llvm-orc --all-targets --no-default-features \
                     --features llvm23-1,inkwell,llvm-sys-23/no-llvm-linking",
                ),
            },
        ],
    },
    Part {
        name: "docs",
        about: "documentation of each crate with all its features, and its examples",
        needs: &[],
        limit: LIMIT,
        steps: &[
            Step {
                name: "library without LLVM",
                action: Action::CargoWith(
                    "doc --quiet --no-deps --package kaleidoscope --package kaleidoscope-jit \
                     --features kaleidoscope/arrow",
                    &[("RUSTDOCFLAGS", "--deny warnings")],
                ),
            },
            Step {
                name: "examples with Arrow",
                action: Action::Cargo(
                    "test --quiet --package kaleidoscope --package kaleidoscope-jit --doc \
                     --features kaleidoscope/arrow",
                ),
            },
            Step {
                name: "private items",
                action: Action::CargoWith(
                    "doc --quiet --workspace --no-deps --features kaleidoscope/arrow \
                     --document-private-items",
                    &[(
                        "RUSTDOCFLAGS",
                        "--deny warnings --allow rustdoc::private_intra_doc_links \
                       --allow rustdoc::redundant_explicit_links",
                    )],
                ),
            },
        ],
    },
    Part {
        name: "editors",
        about: "the grammar for editors, by its tests and against the lexer on all case files",
        needs: &[debian("nodejs", &["node", "--version"]), debian("npm", &["npm", "--version"])],
        limit: LIMIT,
        steps: &[Step { name: "Visual Studio Code", action: Action::Inside(editors::run) }],
    },
    Part {
        name: "python",
        about: "the Python package: its wheel in a clean virtual environment, its tests and examples",
        needs: &[
            RUSTFMT,
            CLIPPY,
            debian("python3-venv", &["python3", "-c", "import ensurepip, venv"]),
            debian("python3-dev", &["python3", "-c", "import sys; assert sys.version_info >= (3, 10)"]),
        ],
        limit: LIMIT,
        steps: &[
            Step { name: "lints", action: Action::Inside(python::lint) },
            Step { name: "wheel and tests", action: Action::Inside(python::test) },
        ],
    },
    Part {
        name: "benches",
        about: "tests of what the benchmarks share; the benchmark that embeds other crates is compiled",
        needs: &[debian("make", &["make", "--version"])],
        limit: LIMIT,
        steps: &[
            Step {
                name: "shared by benchmarks",
                action: Action::Cargo("test --quiet --package kaleidoscope-benches --lib"),
            },
            Step {
                name: "embedding",
                action: Action::Cargo(
                    "check --quiet --manifest-path benches/embedding/Cargo.toml --all-targets \
                     --target-dir target/embedding",
                ),
            },
        ],
    },
];
