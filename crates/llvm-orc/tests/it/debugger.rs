//! Debuggers and profilers: GDB's backtraces, and the files for perf.

use std::io::Write;
use std::process::Command;

use llvm_orc::{Address, JitDump, PerfMap};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib};

#[test]
fn gdb_names_generated_functions() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join("gdb").is_file()) {
        // The tests do not require gdb.
        report_skipped("gdb is not installed");
        return;
    }
    let test_binary = std::env::current_exe().unwrap();
    let mut gdb = Command::new("gdb");
    gdb.args(["--batch", "--nx"]);
    for command in [
        "set confirm off",
        "set debuginfod enabled off",
        "set breakpoint pending on",
        "break llvm_orc_test_breakpoint",
        "run",
        "backtrace 4",
    ] {
        gdb.args(["-ex", command]);
    }
    gdb.arg("--args").arg(test_binary).args(["--exact", "debugger::debugged_program"]);
    let output = test_process::output(&mut gdb, b"");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Containers may forbid debugging.
    if stderr.contains("ptrace") || stderr.contains("Could not trace") {
        report_skipped("gdb is not allowed to trace processes");
        return;
    }
    let frames: Vec<_> = stdout.lines().filter(|line| line.starts_with('#')).collect();
    assert!(frames.iter().any(|frame| frame.contains(" generated_function ")), "{stdout}{stderr}");
    assert!(frames.len() > 2, "frames of the callers: {stdout}");
}

/// Prints that the test was skipped. Writes to the raw stream, because the test harness hides the
/// output of successful tests.
fn report_skipped(reason: &str) {
    let sentence = format!("debugger::gdb_names_generated_functions was skipped: {reason}\n");
    std::io::stderr().write_all(sentence.as_bytes()).unwrap();
}

/// Called by generated code. The debugger's breakpoint.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn llvm_orc_test_breakpoint(x: f64) -> f64 {
    std::hint::black_box(x) + 1.0
}

#[test]
fn debugged_program() {
    let dylib = dylib();
    let breakpoint = Address::from(llvm_orc_test_breakpoint as *const ());
    // SAFETY: the function has the type that `calling` gives its callee, and always exists.
    unsafe { dylib.define_absolute([("breakpoint", breakpoint)]) }.unwrap();
    let object = compiler().compile(|cx| calling(cx, "generated_function", "breakpoint")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    tracker.show_to_debugger(&object).unwrap();
    // SAFETY: the function has that type.
    let f = unsafe { tracker.lookup_fn::<Unary>("generated_function") }.unwrap();
    assert_eq!(f.call((1.0,)), 2.0);
    tracker.remove().unwrap();
}

#[test]
fn objects_are_registered_and_removed_in_any_order() {
    let (dylib, mut compiler) = (dylib(), compiler());
    let mut add = |n: u32| {
        let object = compiler.compile(|cx| constant(cx, &format!("f{n}"), f64::from(n))).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        tracker.show_to_debugger(&object).unwrap();
        (tracker, object)
    };
    let mut registered: Vec<_> = (0..6).map(&mut add).collect();
    for idx in [3, 0, 2, 1] {
        drop(registered.remove(idx));
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (tracker, object) in registered.iter().cycle().take(20) {
                    tracker.show_to_debugger(object).unwrap();
                }
            });
        }
    });
    assert_eq!(registered.len(), 2);
    registered.extend((6..9).map(add));
}

#[test]
fn a_perf_map_has_a_line_for_each_function() {
    let directory = tempfile::tempdir().unwrap();
    let map = PerfMap::create_at(directory.path().join("perf.map")).unwrap();
    let dylib = dylib();
    let object = compiler().compile(|cx| constant(cx, "f", 1.0)).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    map.add(&tracker, &object).unwrap();
    // SAFETY: the function has that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap().call(()), 1.0);
    let lines = std::fs::read_to_string(map.path()).unwrap();
    let parts: Vec<_> = lines.trim_end().split(' ').collect();
    let address = format!("{:x}", tracker.lookup("f").unwrap().get());
    assert_eq!((parts[0], parts[2], parts.len()), (address.as_str(), "f", 3), "{lines}");
    assert!(u64::from_str_radix(parts[1], 16).unwrap() > 0);
}

#[test]
fn a_jitdump_has_names_and_code() {
    let directory = tempfile::tempdir().unwrap();
    let dump = JitDump::create_in(directory.path()).unwrap();
    let mapped =
        || std::fs::read_to_string("/proc/self/maps").unwrap().contains(dump.path().to_str().unwrap());
    assert!(mapped(), "perf finds the file by its mapping");
    let dylib = dylib();
    for (n, name) in ["first", "second_function"].into_iter().enumerate() {
        let before = std::fs::metadata(dump.path()).unwrap().len() as usize;
        let object = compiler().compile(|cx| constant(cx, name, 1.0)).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        dump.add(&tracker, &object).unwrap();
        let file = std::fs::read(dump.path()).unwrap();
        assert_eq!(file[..4], 0x4a69_5444_u32.to_ne_bytes());
        let record = &file[before..];
        let word = |at: usize| u64::from_ne_bytes(record[at..at + 8].try_into().unwrap());
        let [address, n_bytes, idx] = [32, 40, 48].map(word);
        assert_eq!((address, idx), (tracker.lookup(name).unwrap().get(), n as u64));
        assert_eq!(record[56..56 + name.len() + 1], *[name.as_bytes(), &[0]].concat());
        let code = &record[57 + name.len()..];
        assert!(code.len() == n_bytes as usize && n_bytes > 0, "{} {n_bytes}", code.len());
        assert_eq!(record.len(), u32::from_ne_bytes(record[4..8].try_into().unwrap()) as usize);
    }
}
