//! What debuggers and profilers are told.

use std::io::Write;
use std::process::Command;

use llvm_orc::{Address, JitDump, PerfMap};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib};

#[test]
fn gdb_names_generated_functions() {
    let example = std::env::current_exe().unwrap();
    let output = Command::new("gdb")
        .args(["--batch", "--nx"])
        .args([
            "-ex",
            "set confirm off",
            "-ex",
            "set debuginfod enabled off",
            "-ex",
            "set breakpoint pending on",
        ])
        .args(["-ex", "break llvm_orc_test_stops_here", "-ex", "run", "-ex", "backtrace 4", "--args"])
        .arg(example)
        .args(["--exact", "debugger::a_program_to_be_debugged"])
        .output();
    let Ok(output) = output else {
        // Whoever has no debugger need not have one for the tests.
        skipped("there is no gdb");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    // Nor need a system let processes be debugged.
    if complained.contains("ptrace") || complained.contains("Could not trace") {
        skipped("gdb may not trace processes here");
        return;
    }
    let frames: Vec<_> = said.lines().filter(|line| line.starts_with('#')).collect();
    assert!(frames.iter().any(|frame| frame.contains(" generated_function ")), "{said}{complained}");
    assert!(frames.len() > 2, "and what called it: {said}");
}

/// Says that nothing was tested, past the test harness, which keeps what a test prints unless it fails.
fn skipped(reason: &str) {
    let sentence = format!("debugger::gdb_names_generated_functions is skipped: {reason}\n");
    std::io::stderr().write_all(sentence.as_bytes()).unwrap();
}

/// Called by generated code; a debugger stops here by name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn llvm_orc_test_stops_here(x: f64) -> f64 {
    std::hint::black_box(x) + 1.0
}

#[test]
fn a_program_to_be_debugged() {
    let dylib = dylib();
    let stops = Address::from(llvm_orc_test_stops_here as *const ());
    // SAFETY: the function has the type that `calling` gives its callee, and stays.
    unsafe { dylib.define_absolute([("stops", stops)]) }.unwrap();
    let object = compiler().compile(|cx| calling(cx, "generated_function", "stops")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    tracker.show_to_debugger(&object).unwrap();
    // SAFETY: it is of that type.
    let f = unsafe { tracker.lookup_fn::<Unary>("generated_function") }.unwrap();
    assert_eq!(f.call((1.0,)), 2.0);
    tracker.remove().unwrap();
}

#[test]
fn objects_are_shown_and_hidden_in_any_order() {
    let (dylib, mut compiler) = (dylib(), compiler());
    let mut add = |n: u32| {
        let object = compiler.compile(|cx| constant(cx, &format!("f{n}"), f64::from(n))).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        tracker.show_to_debugger(&object).unwrap();
        (tracker, object)
    };
    let mut shown: Vec<_> = (0..6).map(&mut add).collect();
    for place in [3, 0, 2, 1] {
        drop(shown.remove(place));
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (tracker, object) in shown.iter().cycle().take(20) {
                    tracker.show_to_debugger(object).unwrap();
                }
            });
        }
    });
    assert_eq!(shown.len(), 2);
    shown.extend((6..9).map(add));
}

#[test]
fn perf_gets_a_line_for_each_function() {
    let directory = tempfile::tempdir().unwrap();
    let map = PerfMap::create_at(directory.path().join("perf.map")).unwrap();
    let dylib = dylib();
    let object = compiler().compile(|cx| constant(cx, "f", 1.0)).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    map.add(&tracker, &object).unwrap();
    // SAFETY: it is of that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap().call(()), 1.0);
    let lines = std::fs::read_to_string(map.path()).unwrap();
    let parts: Vec<_> = lines.trim_end().split(' ').collect();
    let address = format!("{:x}", tracker.lookup("f").unwrap().get());
    assert_eq!((parts[0], parts[2], parts.len()), (address.as_str(), "f", 3), "{lines}");
    assert!(u64::from_str_radix(parts[1], 16).unwrap() > 0);
}

#[test]
fn perf_inject_gets_names_and_code() {
    let directory = tempfile::tempdir().unwrap();
    let dump = JitDump::create_in(directory.path()).unwrap();
    let mapped =
        || std::fs::read_to_string("/proc/self/maps").unwrap().contains(dump.path().to_str().unwrap());
    assert!(mapped(), "this is how perf learns of the file");
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
