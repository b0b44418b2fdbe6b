//! The column interpreter against the row-by-row interpreter, and the steps that it runs.

mod random;
mod scalars;

use super::{BlockLoop, ColumnEnvironment, ColumnProgram, ColumnScratch};
use crate::array::{BadIndex, element_at};
use crate::compile::{CallTarget, InliningBudget, InliningPlan, Unit};
use crate::interpreter::{Callee, Environment, HostData, InterpreterTrap, StackLimit, interpret_results};
use crate::{Function, FunctionId, HostArray, HostVariable, MathsFunction};
use random::{Random, random_functions};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The functions of a test. The id of a maths function is its index behind `MATHS`.
#[derive(Default)]
struct Functions {
    functions: Vec<Arc<Function>>,
    /// Rows for which a maths function was called.
    n_maths: Cell<usize>,
}

const MATHS: u32 = 1_000;

fn maths_id(function: MathsFunction) -> FunctionId {
    FunctionId::new(MATHS + function as u32)
}

/// What C's maths library computes here.
fn maths(function: MathsFunction, args: &[f64]) -> f64 {
    let x = args[0];
    match function {
        MathsFunction::Sqrt => x.sqrt(),
        MathsFunction::Fabs => x.abs(),
        MathsFunction::Floor => x.floor(),
        MathsFunction::Ceil => x.ceil(),
        MathsFunction::Trunc => x.trunc(),
        MathsFunction::Round => x.round(),
        MathsFunction::Rint => x.round_ties_even(),
        MathsFunction::Pow => x.powf(args[1]),
        _ if args.len() == 2 => x.atan2(args[1]) + f64::from(function as u8),
        _ => x.sin() + f64::from(function as u8),
    }
}

impl Functions {
    /// Functions in text form, which call each other by number. The last one is the unit's.
    fn of_texts(texts: &[&str]) -> Self {
        let parse = |text: &&str| Arc::new(text.parse().expect("the text form is right"));
        Self { functions: texts.iter().map(parse).collect(), n_maths: Cell::new(0) }
    }

    fn last(&self) -> &Arc<Function> {
        self.functions.last().expect("a test has a function")
    }

    /// The last function as a unit, with everything inlined.
    fn unit(&self) -> Unit {
        let budget = InliningBudget { callee_ops: 100_000, copied_ops: 100_000, ..InliningBudget::NOTHING };
        let id = FunctionId::new(self.functions.len() as u32 - 1);
        let ops = 0..self.last().ops.len();
        let function_of = |id: FunctionId| self.functions.get(id.index()).cloned();
        let plan = InliningPlan::new(Some(id), Arc::clone(self.last()), ops, budget, function_of);
        let callees = plan.instances().into_iter().flat_map(|instance| instance.function.facts().callees());
        let target = |callee: FunctionId| match callee.index().checked_sub(MATHS as usize) {
            Some(number) => CallTarget::Maths { function: MathsFunction::ALL[number], slot: 8 },
            None => CallTarget::Slot { address: 8 },
        };
        let targets = callees.map(|(callee, _)| (callee, target(callee))).collect();
        let unit = Unit::new(Arc::clone(self.last()), Some(id), 1, targets, BTreeMap::new());
        Unit { inlining: Some(plan), ..unit }
    }

    fn program(&self) -> ColumnProgram {
        ColumnProgram::new(&self.unit()).expect("the function qualifies")
    }

    fn run(&self, program: &ColumnProgram, columns: &[&[f64]], n_rows: usize) -> Vec<f64> {
        let mut outs = self.run_all(program, columns, n_rows);
        assert_eq!(outs.len(), 1);
        outs.swap_remove(0)
    }

    /// The columns of all results.
    fn run_all(&self, program: &ColumnProgram, columns: &[&[f64]], n_rows: usize) -> Vec<Vec<f64>> {
        let mut outs = vec![vec![-1.0; n_rows]; self.last().n_results as usize];
        let mut scratch = ColumnScratch::new(program, n_rows).expect("there is memory");
        let mut places: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
        assert!(program.run(self, columns, &mut places, n_rows, &mut scratch), "each index means an element");
        outs
    }
}

impl ColumnEnvironment for Functions {
    fn maths(&self, function: MathsFunction, args: &[&[f64]], out: &mut [f64]) {
        self.n_maths.set(self.n_maths.get() + out.len());
        for (row, out) in out.iter_mut().enumerate() {
            let args: Vec<_> = args.iter().map(|arg| arg[row]).collect();
            *out = maths(function, &args);
        }
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        variable.index() as f64 - 0.5
    }

    fn gather(&self, array: HostArray, indices: &[f64], out: &mut [f64]) -> bool {
        assert_eq!(indices.len(), out.len());
        let mut are_elements = true;
        for (out, &index) in out.iter_mut().zip(indices) {
            match self.element(array, index) {
                Ok(element) => *out = element,
                Err(_) => are_elements = false,
            }
        }
        are_elements
    }

    fn run_loop(&self, block_loop: BlockLoop<'_>) {
        block_loop.run();
    }
}

impl HostData for Functions {
    type Trap = InterpreterTrap;

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        maths(function, args)
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        ColumnEnvironment::variable(self, variable)
    }

    fn set_variable(&self, _: HostVariable, _: f64) {
        unreachable!("the functions assign no host variable")
    }

    /// Each array has eight elements.
    fn element(&self, array: HostArray, index: f64) -> Result<f64, BadIndex> {
        let element = element_at(index, 8).map(|at| (at + 10 * array.index()) as f64 - 1.5);
        element.ok_or_else(|| BadIndex { array: "u".into(), index, len: 8 })
    }

    fn set_element(&self, _: HostArray, _: f64, _: f64) -> Result<(), BadIndex> {
        unreachable!("the functions assign no element")
    }
}

impl Environment for Functions {
    type Trap = InterpreterTrap;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, InterpreterTrap> {
        Ok(match self.functions.get(id.index()) {
            Some(function) => Callee::Function(Arc::clone(function)),
            None => Callee::Maths(MathsFunction::ALL[id.index() - MATHS as usize]),
        })
    }

    fn host(&self, _: FunctionId, _: &[f64]) -> Result<f64, InterpreterTrap> {
        unreachable!("the functions call no host function")
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

fn is_same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[track_caller]
fn check(functions: &Functions, columns: &[Vec<f64>], n_rows: usize) {
    let program = functions.program();
    let function = functions.last();
    let columns: Vec<&[f64]> = columns.iter().map(|column| &column[..n_rows]).collect();
    let outs = functions.run_all(&program, &columns, n_rows);
    let mut expected = vec![0.0; outs.len()];
    for row in 0..n_rows {
        let args: Vec<_> = columns.iter().map(|column| column[row]).collect();
        let limit = StackLimit { bytes: 1 << 20 };
        interpret_results(functions, function, &args, &mut expected, limit).unwrap();
        for (nth, (out, expected)) in outs.iter().zip(&expected).enumerate() {
            let value = out[row];
            assert!(
                is_same(value, *expected),
                "row {row} of {n_rows}: result {nth} of f{args:?} is {expected}, not {value}\n\
                 {function}\n{program}"
            );
        }
    }
}

#[test]
fn random_functions_give_what_the_interpreter_gives() {
    let mut random = Random(17);
    let (mut n_checked, mut n_forks) = (0, 0);
    for _ in 0..900 {
        let functions = random_functions(&mut random);
        if ColumnProgram::new(&functions.unit()).is_none() {
            // Forks nest too deeply, or no result needs an element.
            continue;
        }
        n_checked += 1;
        n_forks += usize::from(functions.program().to_string().contains("fork"));
        let n_params = functions.last().n_params;
        let columns: Vec<_> = (0..n_params).map(|_| random.column(77)).collect();
        check(&functions, &columns, 77);
        // Sorted, so that whole blocks take one branch.
        let sorted: Vec<_> = columns
            .into_iter()
            .map(|mut column| {
                column.sort_by(f64::total_cmp);
                column
            })
            .collect();
        check(&functions, &sorted, 77);
    }
    assert!(n_checked > 500 && n_forks > 100, "{n_checked} functions, {n_forks} with forks");
}

const FORK: &str = "function f(x.0 y.1)
    get x.0
    if
      get x.0
      get y.1
      call sin#1000/1
      power
    else
      get y.1
      call exp#1010/1
    end";

#[test]
fn columns_of_any_length_are_computed() {
    let arithmetic = "function f(x.0 y.1)
        get x.0
        get y.1
        multiply
        get x.0
        add";
    let mut random = Random(5);
    for text in [arithmetic, FORK, "function f(x.0 y.1)\nget y.1", "function f(x.0 y.1)\nnumber 3"] {
        let functions = Functions::of_texts(&[text]);
        let block = functions.program().rows_per_block();
        let columns = [random.column(3 * block), random.column(3 * block)];
        for n_rows in [0, 1, 7, 8, 9, block - 1, block, block + 1, 2 * block + 1] {
            check(&functions, &columns, n_rows);
        }
    }
}

#[test]
fn memory_is_used_again_for_other_lengths() {
    let functions = Functions::of_texts(&[FORK]);
    let program = functions.program();
    let mut scratch = ColumnScratch::new(&program, 10).unwrap();
    let mut random = Random(6);
    for n_rows in [10, 3, 0, 100] {
        let (xs, ys) = (random.column(n_rows), random.column(n_rows));
        let mut out = vec![0.0; n_rows];
        assert!(program.run(&functions, &[&xs, &ys], &mut [&mut out], n_rows, &mut scratch));
        let expected = functions.run(&program, &[&xs, &ys], n_rows);
        assert!(out.iter().zip(&expected).all(|(out, expected)| is_same(*out, *expected)));
    }
}

/// The number of rows for which a maths function was called.
fn n_maths(functions: &Functions, columns: &[&[f64]], n_rows: usize) -> usize {
    functions.n_maths.set(0);
    functions.run(&functions.program(), columns, n_rows);
    functions.n_maths.get()
}

#[test]
fn maths_functions_are_called_only_for_rows_that_need_them() {
    let functions = Functions::of_texts(&[FORK]);
    let ys = [1.0; 100];
    let x = |row| if row % 4 == 0 { 0.0 } else { 2.0 };
    let xs: Vec<f64> = (0..100).map(x).collect();
    assert_eq!(n_maths(&functions, &[&xs, &ys], 100), 75 * 2 + 25);
    assert_eq!(n_maths(&functions, &[&[0.0; 100], &ys], 100), 100);
    assert_eq!(n_maths(&functions, &[&[f64::NAN; 100], &ys], 100), 100);
}

#[test]
fn uniforms_are_computed_once() {
    let text = "function f(x.0)
        number 2
        get_host v#1
        power
        call sin#1000/1
        get x.0
        multiply";
    let functions = Functions::of_texts(&[text]);
    assert_eq!(n_maths(&functions, &[&[1.0; 5_000]], 5_000), 2);
}

#[track_caller]
fn check_steps(texts: &[&str], expected: &str) {
    let program = Functions::of_texts(texts).program().to_string();
    let lines = |text: &str| {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(&program), lines(expected), "\n{program}");
}

#[test]
fn operands_are_read_and_results_written_in_place() {
    // a*x*x + b*x + c
    let text = "function f(a.0 b.1 c.2 x.3)
        get a.0
        get x.3
        multiply
        get x.3
        multiply
        get b.1
        get x.3
        multiply
        add
        get c.2
        add";
    check_steps(
        &[text],
        "
s1 = multiply c0 c3
s2 = multiply s1 c3
s1 = multiply c1 c3
s3 = add s2 s1
s0 = add s3 c2
",
    );
}

#[test]
fn results_share_what_they_compute() {
    let sum = "function sum(x.0 y.1)
        get x.0
        call sin#1000/1
        get y.1
        add";
    let product = "function product(x.0 y.1)
        get x.0
        call sin#1000/1
        get y.1
        multiply";
    let both = "function both(x.0 y.1), results 4
        get x.0
        get y.1
        call sum#0/2
        get x.0
        get y.1
        call product#1/2
        get x.0
        get x.0
        get y.1
        call sum#0/2";
    check_steps(
        &[sum, product, both],
        "
s4 = sin c0
s0 = add s4 c1
s1 = multiply s4 c1
s2 = copy c0
s3 = copy s0
",
    );
    let mut random = Random(23);
    check(&Functions::of_texts(&[sum, product, both]), &[random.column(50), random.column(50)], 50);
}

#[test]
fn what_occurs_twice_is_computed_once_and_what_is_not_needed_never() {
    let square = "function square(x.0)
        get x.0
        get x.0
        multiply";
    let text = "function f(x.0)
        get x.0
        call sin#1000/1
        call cos#1001/1
        drop
        get x.0
        call square#0/1
        get x.0
        call square#0/1
        add";
    check_steps(&[square, text], "s1 = multiply c0 c0\ns0 = add s1 s1");
}

#[test]
fn comparisons_and_logical_operators_select() {
    // (x > y) | x
    let greater = "function greater(a.0 b.1)
        get b.1
        get a.0
        less";
    let or = "function or(a.0 b.1)
        get a.0
        if
          number 1
        else
          get b.1
          if
            number 1
          else
            number 0
          end
        end";
    let text = "function f(x.0 y.1)
        get x.0
        get x.0
        get y.1
        call greater#0/2
        call or#1/2";
    check_steps(&[greater, or, text], "u0 = 1\nu1 = 0\ns1 = less c1 c0\ns0 = select c0 u0 s1");
}

#[test]
fn a_branch_gets_what_it_uses() {
    // Only the assigned variable is used behind the `if`, whose own value is dropped.
    let text = "function f(x.0 y.1)
        get x.0
        if
          get y.1
          call sin#1000/1
          set y.1
        else
          get x.0
        end
        drop
        get y.1";
    check_steps(
        &[text],
        "
u0 = 1
u1 = 0
s1 = select c0 u0 u1
fork s1 to s0, rest c1
  1: c1
    s0 = sin c0
",
    );
}

/// The variable is a result of the leaf. Its slot is not used again for what is computed later.
#[test]
fn results_keep_their_slots() {
    let text = "function f(x.0), locals v.1
        number 0
        set v.1
        drop
        get x.0
        if
          get x.0
          call sin#1000/1
          set v.1
          get x.0
          multiply
          get x.0
          call cos#1001/1
          get x.0
          call tan#1002/1
          multiply
          add
        else
          number 1
        end
        get v.1
        add";
    check(&Functions::of_texts(&[text]), &[Random(9).column(50)], 50);
}

#[test]
fn a_chain_is_one_fork() {
    let text = "function f(x.0)
        get x.0
        number 1
        less
        if
          get x.0
          call sin#1000/1
        else
          get x.0
          number 2
          less
          if
            number 7
          else
            get x.0
            call exp#1010/1
          end
        end";
    check_steps(
        &[text],
        "
u0 = 1
u1 = 2
u2 = 7
u3 = 0
s1 = select_less c0 u1 u3 u0
s2 = select_less c0 u0 u1 s1
fork s2 to s0, rest u2
  1: c0
    s0 = exp c0
  2: c0
    s0 = sin c0
",
    );
}

/// The inner `if` is a fork. It costs so little that the outer one computes it for all rows.
#[test]
fn results_of_a_leaf_are_not_known_outside() {
    let quotients = |variable: &str| format!("get x.0{}", format!("\nget {variable}\ndivide").repeat(10));
    let (then, otherwise) = (quotients("y.1"), quotients("z.2"));
    let text = format!(
        "function f(x.0 y.1 z.2)
        get x.0
        if
          get y.1
          if
            {then}
          else
            {otherwise}
          end
        else
          number 1
        end
        {then}
        {otherwise}
        add
        add"
    );
    let functions = Functions::of_texts(&[&text]);
    assert!(functions.program().to_string().contains("fork"));
    let mut random = Random(8);
    check(&functions, &[random.column(50), random.column(50), random.column(50)], 50);
}

#[test]
fn functions_with_loops_or_effects_do_not_qualify() {
    for text in [
        "function f(x.0)\nget x.0\ntail_call",
        "function f(x.0)\nloop\nnumber 1\nget x.0\nnext x.0\nget x.0",
        "function f(x.0)\nget x.0\nset_host v#0",
        "function f(x.0)\nget x.0\nget x.0\nset_element u#0",
        "function f(x.0)\nget x.0\nget_element u#0\ndrop\nget x.0",
        "function f(x.0)\nget x.0\ncall f#0/1",
    ] {
        assert!(ColumnProgram::new(&Functions::of_texts(&[text]).unit()).is_none(), "{text}");
    }
}

/// A wrong index is noticed, but not in a branch that the row does not take.
#[test]
fn elements_are_gathered_where_a_row_needs_them() {
    let text = "function f(x.0)
        get x.0
        number 8
        less
        if
          get x.0
          get_element u#1
        else
          number -1
        end";
    let functions = Functions::of_texts(&[text]);
    let xs: Vec<_> = (0..300).map(|row| f64::from(row % 10)).collect();
    check(&functions, std::slice::from_ref(&xs), 300);
    let program = functions.program();
    let expected = "
u0 = 8
u1 = -1
u2 = 1
u3 = 0
s1 = less c0 u0
fork s1 to s0, rest u1
  1: c0
    s0 = gather 1 c0
";
    check_steps(&[text], expected);
    for wrong in [-1.0, f64::NAN] {
        let mut xs = xs.clone();
        xs[77] = wrong;
        let (mut out, mut scratch) = (vec![0.0; 300], ColumnScratch::new(&program, 300).unwrap());
        assert!(!program.run(&functions, &[&xs], &mut [&mut out], 300, &mut scratch), "{wrong}");
    }
}
