//! Maths functions that are redefined while code runs that calls them, most of them as
//! instructions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_native::maths;

use super::machine::{Way, machine};

/// What the program defines instead, for one argument and for two.
const REPLACEMENTS: [&str; 2] = ["(x) x * 2 + 100", "(x y) x * 2 + y + 100"];

fn replacement(args: &[f64]) -> f64 {
    args[0] * 2.0 + args.get(1).unwrap_or(&0.0) + 100.0
}

#[test]
fn a_loop_calls_the_new_function_from_then_on() {
    for &function in MathsFunction::ALL {
        let (name, arity) = (function.name(), function.arity() as usize);
        // No argument gives a NaN, which would hide all other values.
        let first = if function == MathsFunction::Acosh { 1.5 } else { 0.0625 };
        let args = [format!("i / 16 + {first}"), format!("i / 16 + {first}, 0.5")];
        let args = &args[arity - 1];
        // At the fourth iteration, behind the call, `printd` redefines the function.
        let text = format!(
            "def f(n) var s = 0 in
                (for i = 0, i < n in s = s * 3 + {name}({args}) + (if i < 3 then 0 else if i < 4 then printd(i) else 0))
                + s"
        );
        let library = maths::find(name).expect("both lists are the same");
        let expected = (0..=8).fold(0.0, |so_far, i| {
            let args = &[f64::from(i) / 16.0 + first, 0.5][..arity];
            so_far * 3.0 + if i < 4 { library.call(args) } else { replacement(args) }
        });
        for way in Way::CHECKING {
            let (machine, f) = machine(&text, way);
            machine.at_next_output(move |machine| {
                machine.define(&format!("def {name}{};", REPLACEMENTS[arity - 1]));
            });
            assert_eq!(machine.call(&f, &[8.0]), Ok(expected), "{name}, {way:?}");
        }
    }
}

#[test]
fn a_loop_without_calls_sees_what_another_thread_redefines() {
    for way in Way::CHECKING {
        // Endless until the value changes.
        let (machine, f) = machine("def f(x) printd(x) + (for i = 0, floor(x) < 100 in i) + floor(x);", way);
        let is_running = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&is_running);
        machine.at_next_output(move |_| runs.store(true, Ordering::Release));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_running.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                machine.define("def floor(x) x + 1000;");
            });
            assert_eq!(machine.call(&f, &[2.5]), Ok(1002.5), "{way:?}");
        });
    }
}

#[test]
fn values_in_registers_survive_the_call() {
    // More values live across the call than there are registers, and the new function uses many.
    let names: Vec<_> = (0..20).map(|k| format!("v{k}")).collect();
    let variables: String = names.iter().enumerate().map(|(k, v)| format!("var {v} = x + {k} in ")).collect();
    let steps: String = names.iter().map(|v| format!("({v} = {v} + 1) * ")).collect();
    let digest = names.iter().fold("0".to_owned(), |so_far, v| format!("({so_far} * 3 + {v})"));
    let text = format!(
        "def f(x) {variables} (for i = 0, i < 9 in
            ({steps} sqrt(i * 4)) + (if i < 3 then 0 else if i < 4 then printd(i) else 0)) + {digest}"
    );
    let expected = (0..20).fold(0.0, |so_far, k| so_far * 3.0 + (f64::from(k) + 0.5) + 10.0);
    for way in Way::CHECKING {
        let (machine, f) = machine(&text, way);
        machine.at_next_output(|machine| {
            machine
                .define("def sqrt(x) (x + 1) * (x + 2) * (x + 3) * ((x + 4) * (x + 5) + (x + 6) * (x + 7));");
        });
        assert_eq!(machine.call(&f, &[0.5]), Ok(expected), "{way:?}");
    }
}
