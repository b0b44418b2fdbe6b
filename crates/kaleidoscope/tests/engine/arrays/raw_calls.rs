//! Raw calls that use arrays of the host: without a guard, a wrong index ends the process.

use super::with_u;
use crate::check;
use kaleidoscope::Mode;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The environment variable that makes the test call with a wrong index.
const CALLS_WRONG: &str = "KALEIDOSCOPE_TEST_WRONG_INDEX";

const TEST: &str = "arrays::raw_calls::a_wrong_index_ends_the_process";

#[test]
#[expect(unsafe_code, reason = "raw calls are unsafe")]
fn a_wrong_index_ends_the_process() {
    let wanted = std::env::var(CALLS_WRONG).ok();
    for &mode in Mode::ALL.iter().filter(|&&mode| mode != Mode::Off) {
        let (engine, _) = with_u(mode, &[1.0, 2.0]);
        check(&engine, "def read(i) u(i) * 2;", &[], &[]);
        let read = engine.function::<(f64,)>("read").unwrap();
        read.prepare().unwrap();
        // SAFETY: nothing is redefined during the call, and the function calls nothing.
        assert_eq!(unsafe { read.call_raw((1.0,)) }, 4.0);
        match wanted.as_deref() {
            Some(wanted) if wanted == mode.name() => {
                // SAFETY: as above.
                unsafe { read.call_raw((2.0,)) };
            }
            Some(_) => {}
            None => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args([TEST, "--exact", "--nocapture"]).env(CALLS_WRONG, mode.name());
                let output = test_process::output(command.stderr(Stdio::piped()), &[]);
                assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{mode:?}: {output:?}");
                let message = String::from_utf8_lossy(&output.stderr);
                let expected =
                    "fatal: a raw call ended early: index out of range: `u` has 2 elements, the index is 2";
                assert!(message.contains(expected), "{mode:?}: {message}");
            }
        }
    }
}
