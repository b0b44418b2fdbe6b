//! GDB and LLDB on programs that run with `-g`: one script for both.
//!
//! The part `debuggers` of `./check` runs these tests, because they need both debuggers.

use crate::command::{executable, file, path, run};
use std::process::Command;
use tempfile::TempDir;

/// A debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Debugger {
    Gdb,
    Lldb,
}

/// A step of a session: the command for each debugger, and what its answer contains.
#[derive(Clone, Copy)]
struct Step {
    gdb: &'static str,
    lldb: &'static str,
    in_gdb: &'static [&'static str],
    in_lldb: &'static [&'static str],
}

impl Debugger {
    const ALL: [Self; 2] = [Self::Gdb, Self::Lldb];

    /// Runs the command with these arguments in the debugger. Returns what each step wrote.
    fn run(self, executable: &str, args: &[&str], steps: &[Step]) -> Vec<String> {
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/debuggers/kaleidoscope");
        // A mark in front of the answer of each step.
        let (mut debugger, option, mark) = match self {
            Self::Gdb => {
                let mut gdb = Command::new("gdb");
                gdb.args(["--batch", "--nx", "-iex", "set debuginfod enabled off"]);
                gdb.args(["-iex", "set confirm off", "-x", &format!("{scripts}.gdb")]);
                (gdb, "-ex", "echo \\nSTEP\\n")
            }
            Self::Lldb => {
                let mut lldb = Command::new("lldb-22");
                lldb.args(["--batch", "--no-lldbinit", "--source", &format!("{scripts}.lldb")]);
                (lldb, "--one-line", "script print('STEP')")
            }
        };
        for step in steps {
            debugger.args([option, mark, option, if self == Self::Gdb { step.gdb } else { step.lldb }]);
        }
        debugger.args(if self == Self::Gdb { &["--args"][..] } else { &["--"] });
        debugger.arg(executable).args(args);
        let output = test_process::output(&mut debugger, b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let answers: Vec<_> = text.split("\nSTEP\n").skip(1).map(str::to_owned).collect();
        assert_eq!(answers.len(), steps.len(), "{self:?} {args:?}: {text}{errors}");
        answers
    }

    /// Runs a session, and checks each answer.
    #[track_caller]
    fn check(self, args: &[&str], steps: &[Step]) {
        self.check_executable(executable(), args, steps);
    }

    #[track_caller]
    fn check_executable(self, executable: &str, args: &[&str], steps: &[Step]) {
        let answers = self.run(executable, args, steps);
        for (step, answer) in steps.iter().zip(&answers) {
            let (command, wanted) = match self {
                Self::Gdb => (step.gdb, step.in_gdb),
                Self::Lldb => (step.lldb, step.in_lldb),
            };
            for text in wanted {
                assert!(answer.contains(text), "{self:?} {args:?}, {command}: no {text:?} in {answers:#?}");
            }
        }
    }
}

/// Break at a line before its function is compiled, run, backtrace, print, step, finish, watch.
const SESSION: &[Step] = &[
    Step {
        gdb: "break program.kal:8",
        lldb: "breakpoint set --file program.kal --line 8",
        in_gdb: &[],
        in_lldb: &["pending"],
    },
    Step {
        gdb: "run",
        lldb: "run",
        in_gdb: &["sum (n=4) at ", "program.kal:8\n", "total = total + last"],
        in_lldb: &["sum(n=4) at program.kal:8:", "-> 8   \t      total = total + last"],
    },
    Step {
        gdb: "backtrace",
        lldb: "bt",
        in_gdb: &["#0  sum (n=4)", "#1  0x", " in $expr1 () at ", "program.kal:10\n", " main ("],
        in_lldb: &[
            "frame #0: ",
            "sum(n=4) at program.kal:8",
            "frame #1: ",
            "$expr1 at program.kal:10",
            "`main",
        ],
    },
    Step { gdb: "print n", lldb: "print n", in_gdb: &["= 4\n"], in_lldb: &["(double) 4\n"] },
    Step {
        gdb: "info locals",
        lldb: "frame variable",
        in_gdb: &["i = 1\n", "last = 1\n", "total = 0\n"],
        in_lldb: &["(double) i = 1\n", "(double) last = 1\n", "(double) total = 0\n"],
    },
    Step { gdb: "delete", lldb: "breakpoint delete --force", in_gdb: &[], in_lldb: &[] },
    Step {
        gdb: "tbreak program.kal:7",
        lldb: "breakpoint set --one-shot true --file program.kal --line 7",
        in_gdb: &[],
        in_lldb: &[],
    },
    Step { gdb: "continue", lldb: "continue", in_gdb: &["program.kal:7\n"], in_lldb: &["program.kal:7:"] },
    Step {
        gdb: "step",
        lldb: "step",
        in_gdb: &["square (n=2) at ", "n * n"],
        in_lldb: &["square(n=2) at program.kal:3:"],
    },
    Step {
        gdb: "finish",
        lldb: "finish",
        in_gdb: &["Value returned is ", " = 4\n"],
        in_lldb: &["Return value: (double) $", " = 4\n"],
    },
    Step { gdb: "next", lldb: "next", in_gdb: &["8\t"], in_lldb: &["program.kal:8:"] },
];

/// Goes on where the variable is in memory.
const WATCHING: &[Step] = &[
    Step { gdb: "watch total", lldb: "watchpoint set variable total", in_gdb: &[], in_lldb: &[] },
    Step {
        gdb: "continue",
        lldb: "continue",
        in_gdb: &["Old value = 1\n", "New value = 5\n"],
        in_lldb: &["old value: 1", "new value: 5"],
    },
    Step { gdb: "delete", lldb: "watchpoint delete --force", in_gdb: &[], in_lldb: &[] },
];

const END: &[Step] = &[Step {
    gdb: "continue",
    lldb: "continue",
    in_gdb: &["exited normally"],
    // LLDB sometimes loses the exit code of a process whose threads still run.
    in_lldb: &["exited with status"],
}];

/// The program of the sessions.
fn program() -> String {
    format!("{}/tests/cli/debuggers/program.kal", env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn check_session(options: &[&str], steps: &[&'static [Step]]) {
    let (program, steps) = (program(), steps.concat());
    for debugger in Debugger::ALL {
        debugger.check(&[&["-g"], options, &[&program]].concat(), &steps);
    }
}

#[test]
fn baseline_code() {
    check_session(&[], &[SESSION, WATCHING, END]);
}

#[test]
fn code_without_optimization() {
    check_session(&["--jit", "lazy", "-O0"], &[SESSION, WATCHING, END]);
}

#[test]
fn optimized_code() {
    check_session(&["--jit", "lazy"], &[&SESSION[..4], &SESSION[5..6], END]);
}

/// The same session with a program that was built ahead of time.
#[test]
fn built_programs() {
    let folder = TempDir::new().unwrap();
    let built = folder.path().join("built");
    let built = built.to_str().unwrap();
    let finished = run(&["build", "-g", "-O0", &program(), "-o", built]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    // The breakpoint need not wait for code.
    let begin = Step { in_lldb: &["program.kal:8"], ..SESSION[0] };
    let steps = [&[begin][..], &SESSION[1..], WATCHING, END].concat();
    for debugger in Debugger::ALL {
        debugger.check_executable(built, &[], &steps);
    }
}

/// A stack overflow is an error of the program, in which the debugger does not stop.
#[test]
fn guard_faults_do_not_stop_the_debugger() {
    let program = file(b"def deep(n) deep(n + 1) + 1;\ndeep(1);\n7;\n");
    let steps = &[Step {
        gdb: "run",
        lldb: "run",
        in_gdb: &["exited with code 01"],
        in_lldb: &["KLS3004", "exited with status"],
    }];
    for debugger in Debugger::ALL {
        debugger.check(&["-g", "--stack", "1", "--keep-going", path(&program)], steps);
    }
}

/// A time limit stops the program by a signal.
#[test]
fn stop_signals_do_not_stop_the_debugger() {
    let program = file(b"for i = 1, 1 in 0;\n7;\n");
    let steps = &[Step {
        gdb: "run",
        lldb: "run",
        in_gdb: &["exited with code 01"],
        in_lldb: &["KLS3006", "exited with status"],
    }];
    for debugger in Debugger::ALL {
        debugger.check(&["-g", "--timeout", "0.5", "--keep-going", path(&program)], steps);
    }
}
