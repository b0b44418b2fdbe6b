//! A stack language on the engine: words like Forth's, compiled when they are first called.
//!
//! `cargo run -p kaleidoscope-jit --example stack_language` runs it, with or without the feature
//! `llvm`. A program is a list of words, which take their operands from a stack:
//!
//! ```text
//! : fib ( n -- f )  dup 2 < if else dup 1 - fib swap 2 - fib + then ;
//! 20 fib
//! ```
//!
//! Each cell of a word's stack becomes a variable of the IR: the compiler knows the depth of the
//! stack at every token. So `swap` and `dup` assign variables, which compiled code keeps in
//! registers.

use kaleidoscope_jit::ir::{Arithmetic, Function, FunctionBuilder, FunctionId, Local, Op, OpIdx};
use kaleidoscope_jit::{CallLimits, Embedder, HostError, HostFunction, Jit, Statistics, Thresholds, Trap};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The end of what never ends, if the language is broken.
const TIME_LIMIT: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, HostError>;

/// The words by name: id and number of arguments. The engine knows functions by id alone.
#[derive(Default)]
struct Words(Mutex<HashMap<String, (FunctionId, u32)>>);

impl Embedder for Words {
    /// The message for calls of words that have no definition yet, or no longer.
    fn unavailable(&self, function: FunctionId) -> HostError {
        let words = self.0.lock().expect("no panic under the lock");
        let name = words.iter().find(|(_, (id, _))| *id == function).map_or("?", |(name, _)| name);
        format!("the word `{name}` has no definition").into()
    }
}

/// The language: an engine and the names of its functions.
struct Forth {
    jit: Jit,
    words: Arc<Words>,
}

impl Forth {
    /// Runs a definition `: name ( a b -- c ) body ;`, `forget name`, or an expression, which has a
    /// value.
    fn run(&self, line: &str) -> Result<f64> {
        let tokens: Vec<&str> = line.split_whitespace().collect();
        match tokens[..] {
            [":", name, "(", ref rest @ .., ";"] => {
                let (arity, body) = stack_effect(rest)?;
                // Declared before it is compiled: the word may call itself.
                let id = self.declare(name, arity)?;
                self.jit.define(id, Arc::new(self.compile(name, arity, body)?))?;
            }
            ["forget", name] => self.jit.withdraw(self.find(name)?.0)?,
            _ => {
                let expression = Arc::new(self.compile("$", 0, &tokens)?);
                return Ok(self.jit.run_once(&expression, CallLimits::new().time(TIME_LIMIT))?);
            }
        }
        Ok(0.0)
    }

    /// The function of a name. With another number of arguments, the name gets another function.
    fn declare(&self, name: &str, arity: u32) -> Result<FunctionId> {
        if let Some((id, _)) = self.find(name).ok().filter(|(_, known)| *known == arity) {
            return Ok(id);
        }
        let id = self.jit.declare(arity)?;
        self.words.0.lock().expect("no panic under the lock").insert(name.to_owned(), (id, arity));
        Ok(id)
    }

    fn find(&self, name: &str) -> Result<(FunctionId, u32)> {
        let words = self.words.0.lock().expect("no panic under the lock");
        words.get(name).copied().ok_or_else(|| format!("`{name}` is no word").into())
    }

    fn compile(&self, name: &str, arity: u32, body: &[&str]) -> Result<Function> {
        let mut word = WordCompiler { forth: self, depth: arity, n_cells: arity, ops: vec![], open: vec![] };
        for token in body {
            word.token(token).map_err(|error| format!("`{name}`, at `{token}`: {error}"))?;
        }
        if word.depth != 1 || !word.open.is_empty() {
            return Err(format!("`{name}` does not leave one value").into());
        }
        let mut builder = FunctionBuilder::new(name);
        for idx in 0..arity {
            builder.param(format!("cell{idx}"));
        }
        for idx in arity..word.n_cells {
            // What is first set inside a bracket is lost at its end, so each cell is set here.
            let cell = builder.local(format!("cell{idx}"));
            builder.number(0.0).set(cell).drop_top();
        }
        for op in word.ops {
            builder.op(op);
        }
        builder.get(Local::new(0));
        Ok(builder.finish()?)
    }
}

/// Splits `a b -- c ) body` into the number of arguments and the body.
fn stack_effect<'t, 's>(tokens: &'t [&'s str]) -> Result<(u32, &'t [&'s str])> {
    let position = |token| tokens.iter().position(|&it| it == token);
    match (position("--"), position(")")) {
        (Some(arity), Some(end)) if end == arity + 2 => Ok((arity as u32, &tokens[end + 1..])),
        _ => Err("a word has a stack effect with one result: `( a b -- c )`".into()),
    }
}

/// Compiles the body of a word. Between two tokens, all values are in cells.
struct WordCompiler<'a> {
    forth: &'a Forth,
    /// The number of values on the word's stack.
    depth: u32,
    n_cells: u32,
    ops: Vec<Op>,
    /// The brackets that have begun, and the depth that their end requires.
    open: Vec<(&'static str, u32)>,
}

/// A target of a bracket: the builder computes it.
const TARGET: OpIdx = OpIdx::new(0);

impl WordCompiler<'_> {
    fn token(&mut self, token: &str) -> Result<()> {
        match token {
            "+" => self.apply(2, Op::Arithmetic(Arithmetic::Add)),
            "-" => self.apply(2, Op::Arithmetic(Arithmetic::Subtract)),
            "*" => self.apply(2, Op::Arithmetic(Arithmetic::Multiply)),
            "<" => self.apply(2, Op::Arithmetic(Arithmetic::Less)),
            "dup" => self.load(1).map(|()| self.push()),
            "swap" => {
                self.load(2).and_then(|()| self.load(1))?;
                (1..=2).rev().for_each(|from_top| self.store(self.depth - from_top));
                Ok(())
            }
            "if" => {
                self.load(1)?;
                self.depth -= 1;
                self.begin("if", Op::If { otherwise: TARGET })
            }
            // A branch of the IR leaves a value, which is unused here: values are in cells.
            "else" => {
                let depth = self.end("if")?;
                self.ops.push(Op::Number(0.0));
                self.begin("else", Op::Else { end: TARGET })?;
                self.depth = depth;
                Ok(())
            }
            "then" => {
                let depth = self.end("else")?;
                self.ops.extend([Op::Number(0.0), Op::End, Op::Drop]);
                self.require(depth)
            }
            "do" => self.begin("do", Op::Loop),
            // A loop of the IR steps a variable. Adding -0 changes no value.
            "while" => {
                self.ops.push(Op::Number(-0.0));
                self.load(1)?;
                self.depth -= 1;
                let depth = self.end("do")?;
                self.ops.push(Op::Next { variable: Local::new(0), header: TARGET });
                self.require(depth)
            }
            _ => match token.parse() {
                Ok(value) => self.apply(0, Op::Number(value)),
                Err(_) => {
                    let (callee, n_args) = self.forth.find(token)?;
                    self.apply(n_args, Op::Call { callee, n_args })
                }
            },
        }
    }

    /// An operation that takes this many values and leaves one.
    fn apply(&mut self, n_taken: u32, op: Op) -> Result<()> {
        for from_top in (1..=n_taken).rev() {
            self.load(from_top)?;
        }
        self.ops.push(op);
        self.depth -= n_taken;
        self.push();
        Ok(())
    }

    /// Copies a cell to the stack of the IR.
    fn load(&mut self, from_top: u32) -> Result<()> {
        let cell = self.depth.checked_sub(from_top).ok_or("the stack has too few values")?;
        self.ops.push(Op::Get(Local::new(cell)));
        Ok(())
    }

    /// Moves a value from the stack of the IR to a cell.
    fn store(&mut self, cell: u32) {
        self.ops.extend([Op::Set(Local::new(cell)), Op::Drop]);
        self.n_cells = self.n_cells.max(cell + 1);
    }

    fn push(&mut self) {
        self.store(self.depth);
        self.depth += 1;
    }

    fn begin(&mut self, word: &'static str, op: Op) -> Result<()> {
        self.open.push((word, self.depth));
        self.ops.push(op);
        Ok(())
    }

    fn end(&mut self, word: &'static str) -> Result<u32> {
        let open = self.open.pop().filter(|(open, _)| *open == word);
        open.map(|(_, depth)| depth).ok_or_else(|| format!("there is no `{word}` before").into())
    }

    fn require(&self, depth: u32) -> Result<()> {
        if self.depth == depth { Ok(()) } else { Err("the stack has another depth than before".into()) }
    }
}

fn main() -> Result<()> {
    let (words, statistics) = (Arc::<Words>::default(), Statistics::new());
    let jit = Jit::builder()
        .embedder(Arc::clone(&words) as Arc<dyn Embedder>)
        .observer(statistics.clone())
        // Low, so that the example is short.
        .thresholds(Thresholds { calls: 2_000, back_edges: 2_000, delay: Duration::ZERO })
        .build()?;
    let forth = Arc::new(Forth { jit, words });
    let tiers_up = forth.jit.has_optimizing_tier();

    // Recursion. The definition compiles nothing; the call does.
    forth.run(": fib ( n -- f ) dup 2 < if else dup 1 - fib swap 2 - fib + then ;")?;
    assert!(statistics.totals().compiled.is_empty());
    assert_eq!(forth.run("10 fib 20 fib +")?, 55.0 + 6765.0);
    assert!(statistics.totals().baseline.contains("fib"));

    // Tier-up: `fib` is hot, so it is compiled again in the background.
    let start = Instant::now();
    while tiers_up && !statistics.totals().optimized.contains("fib") {
        assert!(start.elapsed() < TIME_LIMIT, "`fib` never tiers up");
        assert_eq!(forth.run("15 fib")?, 610.0);
    }

    // A loop is replaced on the stack while it runs, with `rate` inlined. Then a host function,
    // which the loop calls, redefines `rate`, and ends the loop 1000 iterations later.
    forth.run(": rate ( -- r ) 1 ;")?;
    let (n_iterations, replaced_at) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let redefined_at = Arc::new(AtomicU64::new(0));
    let (observed, at) = (statistics.clone(), Arc::clone(&redefined_at));
    // The engine owns the closure, so the closure must not own the engine.
    let weak = Arc::downgrade(&forth);
    let closure = move |_: &[f64]| {
        let n = n_iterations.fetch_add(1, Relaxed) + 1;
        let is_replaced = || {
            let mut loops = observed.totals().compiled.into_iter().filter(|code| code.osr_loop.is_some());
            loops.any(|code| &*code.code.name == "sum-rates" && code.inlined[..] == ["rate".into()])
        };
        if tiers_up && replaced_at.load(Relaxed) == u64::MAX && is_replaced() {
            replaced_at.store(n, Relaxed);
        }
        // The loop enters its optimized code some iterations after that was compiled.
        let is_due =
            if tiers_up { n.saturating_sub(300_000) >= replaced_at.load(Relaxed) } else { n == 10_000 };
        if at.load(Relaxed) == 0 && is_due {
            at.store(n, Relaxed);
            let forth = weak.upgrade().ok_or("the engine ended")?;
            forth.run(": rate ( -- r ) 10 ;")?;
            // The loop is still running, and each new call runs the new definition.
            assert_eq!(forth.run("rate rate +")?, 20.0);
        }
        let at = at.load(Relaxed);
        Ok(f64::from(at == 0 || n == at || (n - at) % 1000 != 0))
    };
    let continues = forth.declare("continue?", 0)?;
    forth.jit.define_host(continues, HostFunction::new("continue?", closure))?;
    forth.run(": sum-rates ( -- sum ) 0 do rate + continue? while ;")?;
    // The very next call of `rate` runs the new definition. Optimized code, which has a copy of the
    // old one, is left for that.
    assert_eq!(forth.run("sum-rates")?, redefined_at.load(Relaxed) as f64 + 10.0 * 1000.0);
    assert_eq!(statistics.totals().n_deoptimized, u64::from(tiers_up));

    // Errors: of the compiler of the language, of a host function, and of calls without definition.
    let root = HostFunction::new("root", |args| match args {
        [x] if *x < 0.0 => Err(format!("{x} has no square root").into()),
        _ => Ok(args[0].sqrt()),
    });
    forth.jit.define_host(forth.declare("root", 1)?, root)?;
    for (line, expected) in [
        (": f ( x -- y ) + ;", "`f`, at `+`: the stack has too few values"),
        ("16 root", "4"),
        ("0 16 - root", "`root` failed: -16 has no square root"),
        (": half ( x -- y ) 0.5 * ;", "0"),
        (": quarter ( x -- y ) half half ;", "0"),
        ("8 quarter", "2"),
        ("forget half", "0"),
        ("8 quarter", "the word `half` has no definition"),
        (": runaway ( x -- y ) 1 + runaway 1 + ;", "0"),
        ("0 runaway", "stack overflow"),
    ] {
        let result = forth.run(line);
        assert_eq!(result.map_or_else(|error| error.to_string(), |value| value.to_string()), expected);
    }
    let result = forth.run("8 quarter");
    assert!(result.is_err_and(|error| matches!(error.downcast_ref(), Some(Trap::Unavailable { .. }))));

    // Statistics.
    let totals = statistics.totals();
    assert_eq!(totals.defined.len(), 6);
    assert_eq!(totals.optimized.contains("fib"), tiers_up);
    println!("{} compilations, {} bytes of machine code", totals.compiled.len(), totals.code_bytes);
    Ok(())
}
