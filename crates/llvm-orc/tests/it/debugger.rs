//! Debuggers and profilers: GDB's backtraces, and the files for perf.

use std::io::Write;
use std::process::Command;

use inkwell::FloatPredicate;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::FloatValue;
use llvm_orc::{Address, JitDump, PerfMap};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib};

#[test]
fn gdb_names_generated_functions() {
    let Some(output) = gdb("debugger::debugged_program", "4") else { return };
    let frames = frames(&output);
    assert!(frames.iter().any(|frame| frame.contains(" generated_function ")), "{output}");
    assert!(frames.len() > 2, "frames of the callers: {output}");
}

/// How often the function of [`debugged_recursion`] calls itself.
const DEPTH: usize = 57;

#[test]
fn gdb_unwinds_generated_functions() {
    let Some(output) = gdb("debugger::debugged_recursion", "") else { return };
    check_recursion(&output);
}

#[test]
fn lldb_unwinds_generated_functions() {
    let test_binary = std::env::current_exe().unwrap();
    if !is_installed("lldb-22") {
        report_skipped("lldb-22 is not installed");
        return;
    }
    let mut lldb = Command::new("lldb-22");
    lldb.args(["--batch", "--no-lldbinit"]);
    for command in ["breakpoint set --name llvm_orc_test_breakpoint", "run", "bt"] {
        lldb.args(["--one-line", command]);
    }
    lldb.arg("--").arg(test_binary).args(["--exact", "debugger::debugged_recursion"]);
    let output = test_process::output(&mut lldb, b"");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if is_forbidden(&stderr) {
        report_skipped("lldb is not allowed to trace processes");
        return;
    }
    check_recursion(&format!("{stdout}{stderr}"));
}

#[track_caller]
fn check_recursion(output: &str) {
    let frames = frames(output);
    let is_generated = |frame: &&str| frame.contains("recursive_function");
    assert_eq!(frames.iter().copied().filter(|frame| is_generated(frame)).count(), DEPTH + 1, "{output}");
    let last = frames.iter().rposition(is_generated).unwrap();
    assert!(frames[last + 1..].iter().any(|frame| frame.contains("debugged_recursion")), "{output}");
}

/// The backtrace of GDB in a test of this binary, at the breakpoint. `None` if GDB cannot do it.
fn gdb(test: &str, n_frames: &str) -> Option<String> {
    if !is_installed("gdb") {
        // The tests do not require gdb.
        report_skipped("gdb is not installed");
        return None;
    }
    let test_binary = std::env::current_exe().unwrap();
    let mut gdb = Command::new("gdb");
    gdb.args(["--batch", "--nx"]);
    let backtrace = format!("backtrace {n_frames}");
    for command in [
        "set confirm off",
        "set debuginfod enabled off",
        "set breakpoint pending on",
        "break llvm_orc_test_breakpoint",
        "run",
        &backtrace,
    ] {
        gdb.args(["-ex", command]);
    }
    gdb.arg("--args").arg(test_binary).args(["--exact", test]);
    let output = test_process::output(&mut gdb, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    if is_forbidden(&stderr) {
        report_skipped("gdb is not allowed to trace processes");
        return None;
    }
    Some(format!("{}{stderr}", String::from_utf8_lossy(&output.stdout)))
}

/// The lines with frames of a backtrace.
fn frames(output: &str) -> Vec<&str> {
    let lines = output.lines().map(|line| line.trim_start_matches([' ', '*']));
    lines.filter(|line| line.starts_with('#') || line.starts_with("frame #")).collect()
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Containers may forbid debugging.
fn is_forbidden(stderr: &str) -> bool {
    ["ptrace", "Could not trace", "Operation not permitted"].iter().any(|text| stderr.contains(text))
}

/// Prints that the test was skipped. Writes to the raw stream, because the test harness hides the
/// output of successful tests.
fn report_skipped(reason: &str) {
    let sentence = format!("a test of debugger.rs was skipped: {reason}\n");
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
fn debugged_recursion() {
    let dylib = dylib();
    let breakpoint = Address::from(llvm_orc_test_breakpoint as *const ());
    // SAFETY: the function has the type that the module gives it, and always exists.
    unsafe { dylib.define_absolute([("breakpoint", breakpoint)]) }.unwrap();
    let object = compiler().compile(|cx| recursive(cx, "recursive_function", "breakpoint")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    tracker.show_to_debugger(&object).unwrap();
    // SAFETY: the function has that type.
    let f = unsafe { tracker.lookup_fn::<Unary>("recursive_function") }.unwrap();
    assert_eq!(f.call((DEPTH as f64,)), (DEPTH + 1) as f64);
    tracker.remove().unwrap();
}

/// `name(n) = if 0 < n then name(n - 1) + 1 else callee(n)`, with unwind information and without
/// frame pointers: a debugger that guesses loses its way.
fn recursive<'cx>(cx: &'cx Context, name: &str, callee: &str) -> Module<'cx> {
    let (module, f64) = (cx.create_module(name), cx.f64_type());
    let unary = f64.fn_type(&[f64.into()], false);
    let (callee, itself) = (module.add_function(callee, unary, None), module.add_function(name, unary, None));
    let uwtable = Attribute::get_named_enum_kind_id("uwtable");
    // Also between the instructions of a prologue.
    itself.add_attribute(AttributeLoc::Function, cx.create_enum_attribute(uwtable, 2));
    let builder = cx.create_builder();
    let [entry, again, end] = ["entry", "again", "end"].map(|name| cx.append_basic_block(itself, name));
    let n = itself.get_first_param().unwrap().into_float_value();
    let (zero, one) = (f64.const_zero(), f64.const_float(1.0));
    let call = |function, argument: FloatValue<'cx>| {
        let call = builder.build_direct_call(function, &[argument.into()], "").unwrap();
        call.try_as_basic_value().unwrap_basic().into_float_value()
    };
    builder.position_at_end(entry);
    let is_more = builder.build_float_compare(FloatPredicate::OLT, zero, n, "").unwrap();
    builder.build_conditional_branch(is_more, again, end).unwrap();
    builder.position_at_end(again);
    let rest = call(itself, builder.build_float_sub(n, one, "").unwrap());
    builder.build_return(Some(&builder.build_float_add(rest, one, "").unwrap())).unwrap();
    builder.position_at_end(end);
    builder.build_return(Some(&call(callee, n))).unwrap();
    module
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
