//! What the compiler generates from program text, on a small stack, and independent of what it
//! compiled before. Other tests run the code.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::cell::RefCell;
use std::sync::Arc;

use kaleidoscope_baseline::{Compiler, Counters, DebuggedCode, MachineCode, counter_table_len, debug_object};
use kaleidoscope_ir::compile::{CompileError, Invalidation, KnownMaths, Unit};
use kaleidoscope_ir::{Function, Local, MathsFunction, Op};
use kaleidoscope_testkit::{BAD_INDEX, HOST_ARRAY_ADDRESS, HOST_VARIABLE, Program, slot};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

const COUNTERS: Counters = Counters {
    table: 0x7fff_1111_1110,
    entry_thunk: 0x7fff_2222_2222,
    trip_thunk: Some(0x7fff_5555_5555),
    code_number: 7,
    tail_calls: 5,
};

const INVALIDATION: Invalidation = Invalidation { flag: 0x7fff_7777_7777, exit: 0, code_number: 3 };

const SLOT_THUNK: usize = 0x7fff_8888_8880;

/// The address of a function of the C library.
fn library(function: MathsFunction) -> usize {
    0x7fff_4444_0000 + 16 * function as usize
}

fn compiler() -> Compiler {
    Compiler::new(library)
}

/// Compiles the function that the text defines last.
fn compile(
    compiler: &mut Compiler,
    text: &str,
    counters: Option<&Counters>,
) -> Result<MachineCode, CompileError> {
    let program = Program::read(text);
    compiler.compile(&program.unit(program.last()), counters, None)
}

/// A unit for the function that the text defines last, whose code checks [`INVALIDATION`].
fn checked_unit(text: &str) -> Unit {
    let program = Program::read(text);
    Unit { invalidation: Some(INVALIDATION), ..program.unit(program.last()) }
}

/// How often a number occurs in the code.
fn n_times(code: &MachineCode, number: usize) -> usize {
    code.bytes.windows(8).filter(|bytes| *bytes == number.to_le_bytes()).count()
}

const TEXTS: [&str; 7] = [
    "def f(x) x + 1",
    "def f(x y) if x < y then f(y, x) else f(x, sin(y)) + x ^ y",
    "def f(x) var a = 1 in (for i = 0, i < x in (for j = i, j < x, 2 in a = a + sqrt(j))) + a",
    "def f(a b c d e f g h i j k) if a then f(b, c, d, e, f, g, h, i, j, k, a) else i + j * k",
    "def f() 1.5",
    "def f(x) for i = 0, t < x in t = t + i",
    "def f(x) for i = 0, i < x in cells(i) = cells(x) + cells(3)",
];

#[test]
fn the_same_function_gives_the_same_code_whatever_came_before() {
    let mut used = compiler();
    for _ in 0..2 {
        for text in TEXTS {
            for counters in [None, Some(&COUNTERS)] {
                let fresh = compile(&mut compiler(), text, counters).unwrap();
                assert_eq!(compile(&mut used, text, counters).unwrap().bytes, fresh.bytes, "{text}");
            }
        }
    }
}

#[test]
fn functions_are_called_through_their_slots_by_themselves_as_well() {
    let text = "def g(x) x; def f(x) 1 + f(g(x))";
    let code = compile(&mut compiler(), text, None).unwrap();
    let names = Program::read(text).names;
    for name in ["f", "g"] {
        assert_eq!(n_times(&code, slot(names.current(name).unwrap())), 1, "{name}");
    }
}

#[test]
fn variables_of_the_host_are_where_they_are_said_to_be() {
    let code = compile(&mut compiler(), "def f(x) (t = x) + t", None).unwrap();
    assert!(n_times(&code, HOST_VARIABLE) > 0);
}

#[test]
fn elements_of_arrays_are_where_they_are_said_to_be() {
    let (address, third) = (HOST_ARRAY_ADDRESS, HOST_ARRAY_ADDRESS + 16);
    for (text, first, fixed, n_checks) in [
        ("def f(x) cells(x)", 1, 0, 1),
        ("def f(x) cells(x) = cells(x + 1)", 2, 0, 2),
        ("def f(x) cells(2.5) = x", 0, 1, 0),
        ("def f(x) cells(2) + cells(100)", 1, 1, 1),
    ] {
        let code = compile(&mut compiler(), text, None).unwrap();
        let found = [address, third, BAD_INDEX].map(|address| n_times(&code, address));
        assert_eq!(found, [first, fixed, n_checks], "{text}");
    }
}

#[test]
fn a_tail_call_is_a_jump() {
    let text = "def f(x y) if x < y then f(y, x) else f(x, y + 1)";
    let code = compile(&mut compiler(), text, None).unwrap();
    let id = Program::read(text).names.current("f").unwrap();
    assert_eq!(n_times(&code, slot(id)), 0);
}

#[test]
fn maths_functions_that_can_be_replaced_are_called_through_their_slots() {
    let (text, sin, sqrt) = ("def f(x) sin(x) + sqrt(x)", MathsFunction::Sin, MathsFunction::Sqrt);
    let names = Program::read(text).names;
    let slot_of = |function: MathsFunction| slot(names.current(function.name()).unwrap());
    let found = |code: &MachineCode| {
        [library(sin), slot_of(sin), library(sqrt), slot_of(sqrt), INVALIDATION.flag]
            .map(|address| n_times(code, address))
    };
    let fixed = compile(&mut compiler(), text, None).unwrap();
    assert_eq!(found(&fixed), [1, 0, 0, 0, 0]);
    let checked = compiler().compile(&checked_unit(text), None, Some(SLOT_THUNK)).unwrap();
    assert_eq!(found(&checked), [0, 1, 0, 1, 1]);
}

/// Calls with constant arguments are numbers in the code: at once up to the first call, behind a
/// check where the function may have been replaced.
#[test]
fn known_results_of_maths_functions_need_no_call() {
    let sin = MathsFunction::Sin;
    let result = |args: &[f64]| args.iter().sum::<f64>() + 1234.5;
    for (text, is_called, n_flags, n_results) in [
        ("def f(x) sin(1 / 4) * x", false, 0, 1),
        ("def f(x) 2 ^ 0.5 + x", false, 0, 1),
        ("def f(x) atan2(1, 2 * 3) + x", false, 0, 1),
        ("def f(x) sin(3^2) + x", false, 0, 1),
        ("def g(x) x; def f(x) g(x) + sin(1)", false, 1, 1),
        ("def f(x) for i = 0, i < x in sin(1)", false, 1, 1),
        ("def g(x) x; def f(x) g(x) + atan2(1, 2)", true, 0, 0),
        ("def f(x) sin(x)", true, 0, 0),
        ("def f(x) sin(x + 1)", true, 0, 0),
    ] {
        let mut unit = checked_unit(text);
        let results = RefCell::new(Vec::new());
        unit.known_maths = KnownMaths::of(&unit, |_, args| {
            results.borrow_mut().push(result(args));
            result(args)
        });
        let names = Program::read(text).names;
        let mut compiler = compiler();
        let thunk = compiler.wants_slot_thunk(&unit).then_some(SLOT_THUNK);
        let code = compiler.compile(&unit, None, thunk).unwrap();
        let flags = n_times(&code, INVALIDATION.flag);
        let found =
            results.borrow().iter().filter(|result| n_times(&code, result.to_bits() as usize) > 0).count();
        assert_eq!((flags, found), (n_flags, n_results), "{text}");
        let function = if text.contains("atan2") { MathsFunction::Atan2 } else { sin };
        let slot = slot(names.current(function.name()).unwrap());
        assert_eq!(n_times(&code, slot) > n_flags, is_called, "{text}");
        assert_eq!(n_times(&code, library(MathsFunction::Pow)), 0, "{text}");
    }
}

#[test]
fn power_is_never_replaced() {
    let text = "def f(x) x ^ x";
    let code = compiler().compile(&checked_unit(text), None, None).unwrap();
    assert_eq!(code.bytes, compile(&mut compiler(), text, None).unwrap().bytes);
}

#[test]
fn what_replaced_an_instruction_is_called_through_the_slot_thunk() {
    for (text, wants) in [
        ("def f(x) for i = 0, i < x in sqrt(i)", true),
        ("def f(x) if x < 1 then x else f(floor(x) - 1)", true),
        ("def f(x) for i = 0, i < x in sin(i)", false),
        ("def g(x) x; def f(x) sqrt(g(x))", true),
    ] {
        let mut compiler = compiler();
        let unit = checked_unit(text);
        assert_eq!(compiler.wants_slot_thunk(&unit), wants, "{text}");
        let thunk = wants.then_some(SLOT_THUNK);
        for counters in [None, Some(&COUNTERS)] {
            let code = compiler.compile(&unit, counters, thunk).unwrap();
            assert_eq!(n_times(&code, SLOT_THUNK), usize::from(wants), "{text}");
        }
        let fixed = Unit { invalidation: None, ..unit };
        assert!(!compiler.wants_slot_thunk(&fixed), "{text}");
    }
}

#[test]
fn only_what_was_asked_for_is_counted() {
    let cell = |number: usize| COUNTERS.table + 8 * number;
    let text = "def f(x) (for i = 0, i < x in for j = 0, j < x in i) + (for k = 0, k < x in k)";
    for (counters, n) in [(None, 0), (Some(&COUNTERS), 1)] {
        let code = compile(&mut compiler(), text, counters).unwrap();
        assert!((0..7).all(|number| n_times(&code, cell(number)) == n));
        assert_eq!(n_times(&code, cell(7)), 0);
    }
}

#[test]
fn there_is_a_pair_of_cells_for_each_loop_and_one_for_entries() {
    for (text, n) in [
        ("def f(x) x", 1),
        ("def f(x) f(x) + 1", 1),
        ("def f(x) (for i = 0, i < x in for j = 0, j < x in i) + (for k = 0, k < x in k)", 7),
        ("def f(x) if x then f(x - 1) else f(x - 2)", 1),
        ("def f(x) if (for i = 0, i < x in i) then f(x - 1) else 2", 3),
    ] {
        assert_eq!(counter_table_len(Program::read(text).last()), n, "{text}");
    }
}

#[test]
fn a_function_that_is_too_large_is_refused_and_the_next_one_is_not() {
    let mut compiler = compiler();
    let program = Program::read("def f(x) x + 1");
    let many_ops = std::iter::repeat_n([Op::Get(Local::new(0)), Op::Drop], 1 << 20).flatten();
    let many_ops: Vec<_> = many_ops.chain([Op::Number(1.5)]).collect();
    let many_ops = Function::new("f", 1, ["x".into()], many_ops, 1);
    let many_values = Function::new("f", 1, ["x".into()], [Op::Number(1.5)], 1 << 20);
    for large in [many_ops, many_values] {
        let error = compiler.compile(&program.unit(&Arc::new(large)), None, None).unwrap_err();
        assert_eq!(error, CompileError::TooLarge);
    }
    compile(&mut compiler, TEXTS[0], None).unwrap();
}

#[test]
fn the_code_grows_in_proportion_to_the_function() {
    let shapes: [fn(usize) -> String; 5] = [
        |n| format!("def f(x) {}x{}", "if x then ".repeat(n), " else x".repeat(n)),
        |n| format!("def f(x) x{}", " + (for i = 0, i < x in x = x + i)".repeat(n)),
        |n| format!("def f(x) {}x{}", "x * 2 + (".repeat(n), ")".repeat(n)),
        |n| format!("def f(x) {}x{}", "f(".repeat(n), ")".repeat(n)),
        |n| format!("def f(x) {}x", (0..n).map(|k| format!("var v{k} = x + {k} in ")).collect::<String>()),
    ];
    for shape in shapes {
        let [small, large] =
            [200, 800].map(|n| compile(&mut compiler(), &shape(n), Some(&COUNTERS)).unwrap());
        assert!(large.bytes.len() < 5 * small.bytes.len(), "{} to {}", small.bytes.len(), large.bytes.len());
    }
}

#[test]
fn with_few_registers_values_wait_in_memory() {
    let text = "def f(a b c d e) (a + b) * ((b + c) * ((c + d) * ((d + e) * ((e + a) * (a + c)))))";
    let program = Program::read(text);
    let bytes_with = |n_registers| {
        let mut compiler = compiler();
        compiler.limit_registers(n_registers);
        compiler.compile(&program.unit(program.last()), None, None).unwrap().bytes.len()
    };
    assert!(bytes_with(5) > bytes_with(15));
}

#[test]
fn a_small_stack_is_enough() {
    let n = 2_000;
    let texts = [
        format!("def f(x) {}x{}", "if x then ".repeat(n), " else x".repeat(n)),
        format!("def f(x) {}x{}", "if ".repeat(n), " then 1 else 2".repeat(n)),
        format!("def f(x) {}x{}", "x * 2 + (".repeat(n), ")".repeat(n)),
        format!("def f(x) {}x{}", "f(".repeat(n), ")".repeat(n)),
        format!("def f(x) {}x", "for i = 0, i < x in ".repeat(n / 10)),
        format!("def f(x) x{}", "+(if x < 1 then x = 2 else f(x))".repeat(n)),
    ];
    let body = move || {
        let mut compiler = compiler();
        for text in &texts {
            for counters in [None, Some(&COUNTERS)] {
                compile(&mut compiler, text, counters).unwrap();
            }
        }
    };
    let stack = if cfg!(debug_assertions) { 64 << 10 } else { 16 << 10 };
    std::thread::Builder::new().stack_size(stack).spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_compiler_can_be_handed_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Compiler>();
    is_send::<MachineCode>();
    is_send::<CompileError>();
}

/// Compiles the function that the text defines last, for a debugger.
fn compile_for_debugger(text: &str, counters: Option<&Counters>) -> (Program, MachineCode) {
    let program = Program::with_positions(text);
    let mut compiler = compiler();
    compiler.for_debugger();
    let code = compiler.compile(&program.unit(program.last()), counters, None).unwrap();
    (program, code)
}

#[test]
fn a_debug_object_has_the_code_at_its_address() {
    const ADDRESS: usize = 0x7fff_0000_1000;
    for text in TEXTS {
        for counters in [None, Some(&COUNTERS)] {
            let (program, code) = compile_for_debugger(text, counters);
            let debugged = DebuggedCode {
                name: "name as written",
                address: ADDRESS,
                bytes: &code.bytes,
                entry: code.entry,
                layout: code.layout.as_deref().unwrap(),
                function: Some(program.last()),
            };
            let bytes = debug_object(&debugged);
            let file = object::File::parse(&*bytes).unwrap();
            let symbol = file.symbols().find(object::ObjectSymbol::is_definition).unwrap();
            assert_eq!(symbol.name(), Ok("name as written"));
            assert_eq!(symbol.address(), (ADDRESS + code.entry) as u64);
            assert_eq!(symbol.size(), (code.bytes.len() - code.entry) as u64);
            let section = |name| file.section_by_name(name).unwrap();
            assert_eq!(section(".text").address(), ADDRESS as u64);
            assert_eq!(section(".text").data(), Ok(&*code.bytes));
            for name in [".debug_frame", ".debug_abbrev", ".debug_info", ".debug_line", ".debug_rnglists"] {
                let data = section(name).data().unwrap();
                // The length in front, except for the abbreviations.
                let length = u32::from_le_bytes(data[..4].try_into().unwrap()) as usize;
                assert!(name == ".debug_abbrev" || length + 4 <= data.len(), "{text}, {name}: {length}");
            }
            let info = section(".debug_info").data().unwrap();
            let has = |text: &str| info.windows(text.len()).any(|bytes| bytes == text.as_bytes());
            assert!(has("test.kal\0/source\0") && has("name as written\0"), "{text}");
        }
    }
}

#[test]
fn code_for_a_debugger_begins_with_its_frame() {
    for text in TEXTS {
        let (_, code) = compile_for_debugger(text, Some(&COUNTERS));
        // push rbp; mov rbp, rsp
        assert_eq!(code.bytes[code.entry..code.entry + 4], [0x55, 0x48, 0x89, 0xe5], "{text}");
    }
    // Nothing is different for anyone else.
    assert!(compile(&mut compiler(), TEXTS[0], None).unwrap().layout.is_none());
}
