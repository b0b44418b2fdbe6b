//! A language of strings: a hot function is optimized while its caller runs, and is then defined
//! again under the caller.
//!
//! ```text
//!  "h * 31 + c" ─ define ─► checksum   baseline code, counts its calls
//!  caller, on its own thread: while go_on(checksum(text)) { }
//!    hot ─► compile thread ─► optimized code, the stub is redirected
//!  "h * 33 + c" ─ define ─► checksum   the caller's next call runs it
//! ```
//!
//! Run by `cargo run -p llvm-orc --example reoptimize`. The program asserts that the caller never
//! waits for a compilation: the compile thread does not go on before the caller has made more
//! calls.
#![allow(unsafe_code)] // naming the types of functions

use std::error::Error;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{LazyLock, Mutex};
use std::thread;

use llvm_orc::inkwell::IntPredicate;
use llvm_orc::inkwell::context::Context;
use llvm_orc::inkwell::module::Module;
use llvm_orc::{Address, Compiler, FunctionPass, Jit, OptLevel, Passes, ReoptimizeEvent, ReoptimizeLayer};

/// The strings of the program. Generated code knows them by their numbers.
static STRINGS: LazyLock<Mutex<Vec<Vec<u8>>>> = LazyLock::new(Mutex::default);

extern "C" fn length(string: i64) -> i64 {
    with_string(string, |text| text.len() as i64)
}

extern "C" fn byte(string: i64, idx: i64) -> i64 {
    with_string(string, |text| {
        usize::try_from(idx).ok().and_then(|idx| text.get(idx)).map_or(0, |b| (*b).into())
    })
}

fn with_string(string: i64, read: impl FnOnce(&[u8]) -> i64) -> i64 {
    let strings = STRINGS.lock().expect("no thread panics under the lock");
    usize::try_from(string).ok().and_then(|idx| strings.get(idx)).map_or(0, |text| read(text))
}

/// The results that the caller got: how many, and the latest.
static N_CALLS: AtomicU64 = AtomicU64::new(0);
static LATEST: AtomicI64 = AtomicI64::new(0);
static STOP: AtomicU64 = AtomicU64::new(0);

/// Called by the generated caller after each call of `checksum`.
extern "C" fn go_on(result: i64) -> i64 {
    LATEST.store(result, Ordering::Relaxed);
    N_CALLS.fetch_add(1, Ordering::Relaxed);
    i64::from(STOP.load(Ordering::Relaxed) == 0)
}

/// `name(text)`: folds the bytes `c` of a text to a number `h`, by a step such as `h * 31 + c`.
fn fold<'cx>(cx: &'cx Context, name: &str, step: &str) -> Result<Module<'cx>, Box<dyn Error>> {
    let (module, i64) = (cx.create_module(name), cx.i64_type());
    let length = module.add_function("length", i64.fn_type(&[i64.into()], false), None);
    let byte = module.add_function("byte", i64.fn_type(&[i64.into(), i64.into()], false), None);
    let function = module.add_function(name, i64.fn_type(&[i64.into()], false), None);
    let builder = cx.create_builder();
    let [entry, again, end] = ["entry", "again", "end"].map(|block| cx.append_basic_block(function, block));
    let text = function.get_nth_param(0).ok_or("no parameter")?;
    let number = |call: llvm_orc::inkwell::values::CallSiteValue<'cx>| {
        call.try_as_basic_value().unwrap_basic().into_int_value()
    };

    builder.position_at_end(entry);
    let (h, idx) = (builder.build_alloca(i64, "h")?, builder.build_alloca(i64, "idx")?);
    builder.build_store(h, i64.const_zero())?;
    builder.build_store(idx, i64.const_zero())?;
    let n_bytes = number(builder.build_call(length, &[text.into()], "n_bytes")?);
    builder.build_unconditional_branch(again)?;

    builder.position_at_end(again);
    let at = builder.build_load(i64, idx, "at")?.into_int_value();
    let c = number(builder.build_call(byte, &[text.into(), at.into()], "c")?);
    let mut value = None;
    let mut operator = "";
    for word in step.split_whitespace() {
        let operand = match word {
            "+" | "*" => {
                operator = word;
                continue;
            }
            "h" => builder.build_load(i64, h, "h")?.into_int_value(),
            "c" => c,
            digits => i64.const_int(digits.parse()?, false),
        };
        value = Some(match (value, operator) {
            (None, _) => operand,
            (Some(left), "*") => builder.build_int_mul(left, operand, "product")?,
            (Some(left), _) => builder.build_int_add(left, operand, "sum")?,
        });
    }
    builder.build_store(h, value.ok_or("empty step")?)?;
    let next = builder.build_int_add(at, i64.const_int(1, false), "next")?;
    builder.build_store(idx, next)?;
    let is_more = builder.build_int_compare(IntPredicate::SLT, next, n_bytes, "is_more")?;
    builder.build_conditional_branch(is_more, again, end)?;

    builder.position_at_end(end);
    builder.build_return(Some(&builder.build_load(i64, h, "result")?))?;
    Ok(module)
}

/// `caller(text)`: calls `checksum(text)` until `go_on` says no.
fn caller(cx: &Context) -> Result<Module<'_>, Box<dyn Error>> {
    let (module, i64) = (cx.create_module("caller"), cx.i64_type());
    let unary = i64.fn_type(&[i64.into()], false);
    let [checksum, go_on, function] =
        ["checksum", "go_on", "caller"].map(|name| module.add_function(name, unary, None));
    let builder = cx.create_builder();
    let [entry, again, end] = ["entry", "again", "end"].map(|block| cx.append_basic_block(function, block));
    builder.position_at_end(entry);
    builder.build_unconditional_branch(again)?;
    builder.position_at_end(again);
    let text = function.get_nth_param(0).ok_or("no parameter")?;
    let value = builder.build_call(checksum, &[text.into()], "value")?.try_as_basic_value().unwrap_basic();
    let more = builder.build_call(go_on, &[value.into()], "more")?.try_as_basic_value().unwrap_basic();
    let stops =
        builder.build_int_compare(IntPredicate::EQ, more.into_int_value(), i64.const_zero(), "stops")?;
    builder.build_conditional_branch(stops, end, again)?;
    builder.position_at_end(end);
    builder.build_return(Some(&value))?;
    Ok(module)
}

/// What the functions compute, by Rust.
fn expected(text: &str, factor: i64) -> i64 {
    text.bytes().fold(0, |h: i64, c| h.wrapping_mul(factor).wrapping_add(c.into()))
}

/// Waits until the caller has made this many more calls, or stops.
fn wait_for_calls(n_calls: u64) {
    let until = N_CALLS.load(Ordering::Relaxed) + n_calls;
    while N_CALLS.load(Ordering::Relaxed) < until && STOP.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
}

/// Stops the caller, also if an assertion fails.
struct StopCaller;

impl Drop for StopCaller {
    fn drop(&mut self) {
        STOP.store(1, Ordering::Relaxed);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let text = "a text that is long enough to be worth a loop";
    STRINGS.lock().expect("no thread panics under the lock").push(text.into());
    let dylib = Jit::builder().build()?.create_bare_dylib("program")?;
    let host = [
        ("length", Address::from(length as *const ())),
        ("byte", Address::from(byte as *const ())),
        ("go_on", Address::from(go_on as *const ())),
    ];
    // SAFETY: the functions have the types that `fold` and `caller` declare.
    unsafe { dylib.define_absolute(host) }?;

    let (sender, events) = channel();
    let passes =
        Passes::functions(&[FunctionPass::Sroa, FunctionPass::InstCombine, FunctionPass::LoopRotate]);
    let layer = ReoptimizeLayer::builder(&dylib)
        .threshold(100)
        .optimized(passes, OptLevel::Default)
        .observer(move |event| match event {
            // If the caller waited for this compilation, it would make no more calls.
            ReoptimizeEvent::Compiling { .. } => wait_for_calls(100),
            ReoptimizeEvent::Optimized { names } => sender.send(names.to_vec()).unwrap_or_default(),
            other => panic!("unexpected: {other:?}"),
        })
        .build()?;
    let mut compiler = Compiler::builder().opt_level(OptLevel::None).build()?;
    layer.define(&mut compiler, |cx| fold(cx, "checksum", "h * 31 + c"))?;
    let object = compiler.try_compile::<_, Box<dyn Error>>(caller)?;
    let tracker = dylib.add_object(&object)?;
    // SAFETY: the functions have these types, in each definition.
    let checksum = unsafe { layer.lookup_fn::<extern "C" fn(i64) -> i64>("checksum") }?;
    // SAFETY: as above.
    let caller = unsafe { tracker.lookup_fn::<extern "C" fn(i64) -> i64>("caller") }?;
    let baseline = checksum.target();

    thread::scope(|scope| {
        let running = scope.spawn(|| caller.call((0,)));
        let stop = StopCaller;

        // The caller goes on during the compilation, and then runs optimized code.
        assert_eq!(events.recv()?, ["checksum"]);
        assert!(layer.is_optimized("checksum")? && checksum.target() != baseline);
        let n_counted = layer.calls("checksum")?;
        assert!(n_counted >= 200, "{n_counted}");
        wait_for_calls(2);
        assert_eq!(LATEST.load(Ordering::Relaxed), expected(text, 31));

        // A new definition under the running caller, which becomes hot, too.
        layer.define(&mut compiler, |cx| fold(cx, "checksum", "h * 33 + c"))?;
        wait_for_calls(2);
        assert_eq!(LATEST.load(Ordering::Relaxed), expected(text, 33));
        assert_eq!(events.recv()?, ["checksum"]);
        wait_for_calls(2);
        assert_eq!(LATEST.load(Ordering::Relaxed), expected(text, 33));

        // An assumption does not hold any more: the baseline code of this definition runs again.
        assert!(layer.invalidate("checksum")?);
        wait_for_calls(2);
        assert_eq!(LATEST.load(Ordering::Relaxed), expected(text, 33));

        drop(stop);
        assert_eq!(running.join().map_err(|_| "the caller panicked")?, expected(text, 33));
        Ok::<(), Box<dyn Error>>(())
    })?;
    println!(
        "{} calls, two definitions, each optimized while its caller ran",
        N_CALLS.load(Ordering::Relaxed)
    );
    Ok(())
}
