//! Suspended functions are completed by the interpreter, from their live variables alone: the
//! result and the calls of the host are those of an uninterrupted run.
//!
//! A machine of this test runs functions of the corpus and random ones, and stops at the points
//! where optimized code can be left: behind a call, at a loop's start and at a tail call. Every
//! variable that is not live there gets a wrong value.

mod host;
mod machine;
mod random;

use std::path::Path;
use std::sync::Arc;

use host::{Host, Outcome, SlotCalls, Trap};
use kaleidoscope_ir::interpreter::{
    Environment, LoopOutcome, SuspendedFrame, interpret_results, resume_loop, resume_results,
};
use kaleidoscope_ir::verify::verify_calls;
use kaleidoscope_ir::{Function, FunctionId, Local, OpIdx, text};
use machine::Machine;

/// The value of variables that are not live.
const POISON: f64 = 12345.678;

/// How often calls were suspended and completed.
#[derive(Debug, Default)]
struct Counts {
    n_suspended: usize,
    /// The calls suspended inside another one.
    n_inner: usize,
    n_loops: usize,
    /// The completions in which one live variable was forgotten, and those with another outcome.
    n_forgotten: usize,
    n_noticed: usize,
}

/// The program's functions, and calls of them.
struct Program {
    functions: Vec<Arc<Function>>,
    calls: Vec<(usize, Vec<f64>)>,
}

/// The results of a call.
fn call(host: &Host, function: &Arc<Function>, args: &[f64]) -> Result<Vec<f64>, Trap> {
    let mut results = vec![POISON; function.n_results as usize];
    interpret_results(host, function, args, &mut results, host::LIMIT).map(|()| results)
}

/// The results of a suspended call.
fn complete<E: Environment>(env: &E, frames: Vec<SuspendedFrame>) -> Result<Vec<f64>, E::Trap> {
    let mut results = vec![POISON; frames[0].function.n_results as usize];
    resume_results(env, frames, &mut results, host::LIMIT).map(|()| results)
}

/// The live variables of the frame, and poison instead of all others.
fn keep_live(mut frame: SuspendedFrame) -> SuspendedFrame {
    let live = frame.function.liveness().expect("the function is small").at(frame.next);
    for (variable, value) in (0..).map(Local::new).zip(&mut frame.locals) {
        if !live.contains(&variable) {
            *value = POISON;
        }
    }
    frame
}

/// A call, and the point of its run at which it is suspended.
struct Suspension<'a> {
    program: &'a Program,
    function: &'a Arc<Function>,
    args: &'a [f64],
    point: usize,
}

/// A call that has been suspended.
struct Suspended {
    /// What it has called so far.
    host: Host,
    frames: Vec<SuspendedFrame>,
    /// The loops of the outermost function around the point, each with the number of operands below
    /// it.
    open_loops: Vec<(OpIdx, usize)>,
}

impl Suspension<'_> {
    fn run(&self) -> Suspended {
        let host = Host::new(&self.program.functions);
        let mut machine = Machine::new(&host, self.function, self.args);
        machine.run_to(self.point);
        let (frames, open_loops) = (machine.frames(), machine.open_loops());
        Suspended { host, frames, open_loops }
    }

    /// Completes the call, in all ways.
    fn check(&self, expected: &Outcome, counts: &mut Counts) {
        let Suspended { host, frames, open_loops } = self.run();
        counts.n_suspended += 1;
        counts.n_inner += usize::from(frames.len() > 1);
        let kept: Vec<_> = frames.iter().cloned().map(keep_live).collect();
        let value = complete(&host, kept.clone()).map(|value| host.outcome(value));
        assert_eq!(value.as_ref(), Ok(expected), "point {}: {kept:?}", self.point);
        for (header, n_operands) in open_loops {
            let Suspended { host, frames, .. } = self.run();
            let value = leave_loop(&host, &frames, header, n_operands);
            assert_eq!(host.outcome(value), *expected, "point {}, {header:?}: {kept:?}", self.point);
            counts.n_loops += 1;
        }
        for (depth, frame) in kept.iter().enumerate() {
            for variable in frame.function.liveness().expect("as above").at(frame.next) {
                let mut frames = kept.clone();
                frames[depth].locals[variable.index()] = POISON;
                counts.n_forgotten += 1;
                counts.n_noticed += usize::from(self.differs(frames, expected));
            }
        }
    }

    /// Whether the call has another outcome if it continues with these frames.
    fn differs(&self, frames: Vec<SuspendedFrame>, expected: &Outcome) -> bool {
        let Suspended { host, .. } = self.run();
        complete(&host, frames).map(|value| host.outcome(value)).as_ref() != Ok(expected)
    }
}

/// Completes each call from some points of its run.
fn check(program: &Program, counts: &mut Counts) {
    for (nth, args) in &program.calls {
        let function = &program.functions[*nth];
        let host = Host::new(&program.functions);
        let Ok(value) = call(&host, function, args) else { continue };
        let expected = host.outcome(value);
        let n_points = Machine::new(&Host::new(&program.functions), function, args).n_points();
        let every = (n_points / 10).max(1);
        for point in (0..n_points).filter(|point| *point < 10 || point % every == 0) {
            Suspension { program, function, args, point }.check(&expected, counts);
        }
    }
}

/// Runs a loop of the outermost frame to its next back edge, as code does that is left in the
/// middle of a loop which it continued (OSR). Then completes the function behind the back edge.
fn leave_loop(host: &Host, frames: &[SuspendedFrame], header: OpIdx, n_operands: usize) -> Vec<f64> {
    let function = &frames[0].function;
    let mut variables = vec![POISON; function.locals.len()];
    let kept = frames.iter().cloned().map(keep_live).collect();
    let outcome = resume_loop(host, kept, header, &mut variables, host::LIMIT).expect("as without");
    let facts = function.facts();
    let found = facts.loop_at(header).expect("a loop is open");
    // Only what the loop assigns is read back.
    let mut frame = frames[0].clone();
    for variable in &facts.assigned[found.bracket] {
        frame.locals[variable.index()] = variables[variable.index()];
    }
    frame.operands.truncate(n_operands);
    frame = match outcome {
        LoopOutcome::AtHeader => keep_live(SuspendedFrame { next: behind(header), ..frame }),
        LoopOutcome::Ended => SuspendedFrame { next: behind(found.next), ..frame },
    };
    complete(host, vec![frame]).expect("as without")
}

fn behind(op: OpIdx) -> OpIdx {
    OpIdx::new(op.index() as u32 + 1)
}

/// The functions of each file of the corpus, with the calls that the file expects results of.
fn corpus() -> Vec<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = folder.read_dir().expect("the corpus is readable");
    let programs = files.map(|file| {
        let path = file.expect("the corpus is readable").path();
        let source = std::fs::read_to_string(path).expect("a file of the corpus is text");
        let functions: Vec<_> =
            text::parse(&source).expect("it is in text form").into_iter().map(Arc::new).collect();
        let calls = source.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("; run ")?.split_once('(')?;
            let nth = functions.iter().position(|function| &*function.name == name)?;
            let (args, _) = rest.split_once(')')?;
            let args = args.split(", ").filter(|arg| !arg.is_empty());
            Some((nth, args.map(|arg| arg.parse().expect("an argument is a number")).collect()))
        });
        let calls = calls.collect();
        Program { functions, calls }
    });
    programs.collect()
}

/// Random functions, each of which calls those before it.
fn random_program(seed: u64) -> Program {
    let functions: Vec<Arc<Function>> = random::functions(seed).into_iter().map(Arc::new).collect();
    for function in &functions {
        let arity_of = |id: FunctionId| Some(functions.get(id.index())?.n_params);
        assert_eq!(verify_calls(function, arity_of), Ok(()), "seed {seed}: {function}");
    }
    let args = |function: &Function| (0..function.n_params).map(|nth| f64::from(nth) * 0.5 + 2.5).collect();
    let calls = functions.iter().enumerate().map(|(nth, function)| (nth, args(function))).collect();
    Program { functions, calls }
}

#[test]
fn functions_of_the_corpus_are_completed() {
    let mut counts = Counts::default();
    corpus().iter().for_each(|program| check(program, &mut counts));
    assert!(counts.n_suspended > 40 && counts.n_inner > 10 && counts.n_loops > 30, "{counts:?}");
    // Few variables are live without having any effect.
    assert!(counts.n_noticed * 10 > counts.n_forgotten * 8, "{counts:?}");
}

#[test]
fn random_functions_are_completed() {
    let mut counts = Counts::default();
    (0..60).for_each(|seed| check(&random_program(seed), &mut counts));
    assert!(counts.n_suspended > 500 && counts.n_inner > 100 && counts.n_loops > 500, "{counts:?}");
    // Random code reads many variables whose values change nothing.
    assert!(counts.n_noticed * 10 > counts.n_forgotten * 4, "{counts:?}");
}

#[test]
fn the_environment_replaces_loops_and_tail_calls_of_suspended_functions() {
    let (mut n_loops, mut n_tail_calls) = (0, 0);
    for program in corpus().into_iter().chain((0..60).map(random_program)) {
        for (nth, args) in &program.calls {
            let function = &program.functions[*nth];
            let host = Host::new(&program.functions);
            let Ok(value) = call(&host, function, args) else { continue };
            let expected = host.outcome(value);
            for every in 1..4 {
                let host = Host::new(&program.functions);
                let calls = SlotCalls::new(&host, function, every);
                let mut locals = vec![POISON; function.locals.len()];
                locals[..args.len()].copy_from_slice(args);
                let function = Arc::clone(function);
                let frame = SuspendedFrame { function, next: OpIdx::new(0), locals, operands: Vec::new() };
                let value = complete(&calls, vec![frame]).expect("as without");
                assert_eq!(host.outcome(value), expected, "every {every}");
                n_loops += calls.n_loops.get();
                n_tail_calls += calls.n_tail_calls.get();
            }
        }
    }
    assert!(n_loops > 500 && n_tail_calls > 50, "{n_loops} loops, {n_tail_calls} tail calls");
}
