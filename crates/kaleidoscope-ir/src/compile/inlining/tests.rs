//! Plans: which calls are inlined, within which budget.

use super::{InliningBudget, InliningPlan};
use crate::compile::CodeKind;
use crate::{Function, FunctionId, Op};
use std::collections::BTreeMap;
use std::sync::Arc;

const BUDGET: InliningBudget = InliningBudget {
    callee_ops: 100,
    copied_ops: 1_000,
    recursion: 3,
    small_ops: 16,
    copied_small_ops: 10_000,
};

/// The definitions that calls name by their number: `#0` is the first.
struct Program(Vec<Arc<Function>>);

/// The numbers of functions that most programs have.
const SEQUENCE: usize = 0;
const NEGATE: usize = 1;
const NOT: usize = 2;
const GREATER: usize = 3;
const BIG: usize = 4;
const BIGGER: usize = 5;

/// The operations of `big` and `bigger`.
const BIG_OPS: usize = 31;
const BIGGER_OPS: usize = 41;

impl Program {
    /// The functions above, then these, in text form.
    fn new(more: &[String]) -> Self {
        let sum =
            |name: &str, n: usize| format!("function {name}(x.0)\nget x.0{}", "\nget x.0\nadd".repeat(n));
        let own = [
            "function binary:(a.0 b.1)\nget b.1".to_owned(),
            "function unary-(v.0)\nnumber 0\nget v.0\nsubtract".to_owned(),
            "function unary!(v.0)\nget v.0\nif\nnumber 0\nelse\nnumber 1\nend".to_owned(),
            "function binary>(l.0 r.1)\nget r.1\nget l.0\nless".to_owned(),
            sum("big", BIG_OPS / 2),
            sum("bigger", BIGGER_OPS / 2),
        ];
        let functions = own.iter().chain(more).map(|text| Arc::new(text.parse().expect(text)));
        let program = Self(functions.collect());
        assert_eq!([BIG, BIGGER].map(|nth| program.0[nth].ops.len()), [BIG_OPS, BIGGER_OPS]);
        program
    }

    /// The number that the next function of a program gets.
    const N_OWN: usize = 6;

    /// Plans code of the last function, and checks what holds for all plans.
    fn plan(&self, kind: CodeKind, budget: InliningBudget) -> InliningPlan {
        let id = Some(FunctionId::new(self.0.len() as u32 - 1));
        let root = Arc::clone(self.0.last().expect("a program has functions"));
        let plan = InliningPlan::new(id, Arc::clone(&root), kind.ops(&root), budget, |id| {
            self.0.get(id.index()).cloned()
        });
        let instances = plan.instances();
        for (nth, instance) in instances.iter().enumerate() {
            assert!(instance.inlined.is_sorted_by_key(|(at, _)| *at));
            for &(at, inlinee) in instance.inlined {
                assert!(inlinee > nth, "no instance contains itself");
                let Op::Call { callee, n_args } = instance.function.ops[at.index()] else {
                    panic!("only calls are inlined")
                };
                assert_eq!(instances[inlinee].function, &*self.0[callee.index()]);
                assert_eq!(instances[inlinee].function.n_params, n_args);
            }
        }
        plan
    }

    /// As [`plan`](Self::plan), for a whole function and with the usual budget.
    fn usual_plan(&self) -> InliningPlan {
        self.plan(CodeKind::Function, BUDGET)
    }
}

/// Calls of a function, one after the other, each with the result of the one before: the text
/// form behind a value.
fn calls(callee: usize, n: usize) -> String {
    format!("\ncall #{callee}/1").repeat(n)
}

/// A loop around these operations, which leave a value, as a value.
fn in_loop(ops: &str) -> String {
    format!("\nnumber 0\nset i.1\ndrop\nloop{ops}\ndrop\nnumber 1\nget x.0\nnext i.1\nnumber 0")
}

fn function(ops: &str) -> String {
    format!("function f(x.0), locals i.1\nget x.0{ops}")
}

/// How many calls of each function are inlined in the code, and how many are left.
fn copies(plan: &InliningPlan) -> BTreeMap<usize, (usize, usize)> {
    let instances = plan.instances();
    let mut n_copies = vec![0; instances.len()];
    n_copies[0] = 1;
    let mut copies = BTreeMap::<_, (usize, usize)>::new();
    for (nth, instance) in instances.iter().enumerate() {
        for (_, callee, inlinee) in instance.calls() {
            let (inlined, left) = copies.entry(callee.index()).or_default();
            match inlinee {
                Some(inlinee) => {
                    n_copies[inlinee] += n_copies[nth];
                    *inlined += n_copies[nth];
                }
                None => *left += n_copies[nth],
            }
        }
    }
    copies
}

#[track_caller]
fn check(plan: &InliningPlan, expected: &[(usize, (usize, usize))]) {
    assert_eq!(copies(plan), expected.iter().copied().collect());
}

#[test]
fn small_callees_are_inlined_everywhere() {
    for n in [1, 100, 3_000] {
        let two = format!("\nget x.0\ncall #{SEQUENCE}/2\nget x.0\ncall #{GREATER}/2").repeat(n);
        let ops = format!("{two}{}{}", calls(NOT, 1), calls(NEGATE, 1));
        let plan = Program::new(&[function(&ops)]).plan(
            CodeKind::Function,
            InliningBudget { callee_ops: 0, copied_ops: 0, copied_small_ops: 20_000, ..BUDGET },
        );
        check(&plan, &[(SEQUENCE, (n, 0)), (NEGATE, (1, 0)), (NOT, (1, 0)), (GREATER, (n, 0))]);
        assert_eq!(plan.instances().len(), 5, "calls share their instances");
    }
}

/// However many statements a function has, the operator between them takes none of the budget.
#[test]
fn small_callees_leave_the_budget_to_others() {
    for n in [10, 115, 120, 400] {
        let statements = format!("\nget x.0\ncall #{SEQUENCE}/2").repeat(n);
        let ops = format!("{}{statements}", calls(BIG, 20));
        check(&Program::new(&[function(&ops)]).usual_plan(), &[(SEQUENCE, (n, 0)), (BIG, (20, 0))]);
    }
}

#[test]
fn small_callees_contain_small_callees() {
    let first = Program::N_OWN;
    let or = "function binary|(x.0 y.1)\nget x.0\nif\nnumber 1\nelse\nget y.1\nif\nnumber 1\nelse\nnumber 0\nend\nend";
    let program = Program::new(&[
        format!("function twice(x.0)\nget x.0{}", calls(NOT, 2)),
        or.to_owned(),
        // Two copies of `twice` are larger than a call.
        format!("function not-small(x.0)\nget x.0{}", calls(first, 2)),
        function(&format!("{}\nget x.0\ncall #{}/2{}", calls(first, 1), first + 1, calls(first + 2, 1))),
    ]);
    let small = InliningBudget { copied_ops: 0, ..BUDGET };
    let plan = program.plan(CodeKind::Function, small);
    check(&plan, &[(NOT, (2, 0)), (first, (1, 0)), (first + 1, (1, 0)), (first + 2, (0, 1))]);
}

/// Each function calls the one before it twice: 2⁴⁰ copies.
#[test]
fn copies_do_not_multiply_beyond_the_budget() {
    for body in ["get x.0{}{}", "get x.0{}\nget x.0{}\nadd"] {
        let double = |nth: usize| {
            let callee = Program::N_OWN + nth;
            let call = calls(callee, 1);
            format!("function d{nth}(x.0)\n{}", body.replace("{}", &call))
        };
        let base = "function base(x.0)\nget x.0\nget x.0\nadd".to_owned();
        let doubles: Vec<_> = std::iter::once(base).chain((0..40).map(double)).collect();
        let plan = Program::new(&doubles).usual_plan();
        let n_inlined: usize = copies(&plan).values().map(|(inlined, _)| inlined).sum();
        assert!((30..=1_000).contains(&n_inlined), "{n_inlined}");
    }
}

#[test]
fn a_long_chain_of_functions_that_pass_on_a_call_ends() {
    let pass_on = |nth: usize| format!("function p{nth}(x.0)\nget x.0{}", calls(Program::N_OWN + nth, 1));
    let base = "function base(x.0)\nget x.0".to_owned();
    let chain: Vec<_> = std::iter::once(base).chain((0..10_000).map(pass_on)).collect();
    let n_inlined: usize =
        copies(&Program::new(&chain).usual_plan()).values().map(|(inlined, _)| inlined).sum();
    assert_eq!(n_inlined, BUDGET.small_ops / 2, "each has two operations");
}

#[test]
fn small_callees_may_call_each_other() {
    let first = Program::N_OWN;
    let program = Program::new(&[
        format!("function a(x.0)\nget x.0{}", calls(first + 1, 1)),
        format!("function b(x.0)\nget x.0{}", calls(first, 1)),
        function(&format!("{}{}", calls(first, 1), calls(first + 1, 1))),
    ]);
    // `b` was found first, inside `a`.
    check(&program.usual_plan(), &[(first, (1, 2)), (first + 1, (2, 0))]);
}

#[test]
fn calls_beyond_the_budget_are_left_one_by_one() {
    let most = BUDGET.copied_ops / BIG_OPS;
    for n in [1, most - 1, most, most + 1, 2 * most, 50 * most] {
        let plan = Program::new(&[function(&calls(BIG, n))]).usual_plan();
        check(&plan, &[(BIG, (n.min(most), n - n.min(most)))]);
        let inlined = plan.instances()[0].inlined;
        assert!(inlined.iter().enumerate().all(|(nth, (at, _))| at.index() == 1 + nth), "the first ones");
    }
}

#[test]
fn the_innermost_loop_comes_first() {
    let most = BUDGET.copied_ops / BIG_OPS;
    let once = calls(BIG, 20);
    let inner = in_loop(&format!("\nget x.0{}", calls(BIG, 25)));
    let nested = in_loop(&format!("\nget x.0{}\ndrop{inner}", calls(BIG, 5)));
    let plan = Program::new(&[function(&format!("{once}\ndrop{nested}"))]).usual_plan();
    check(&plan, &[(BIG, (most, 50 - most))]);
    let in_which = |range: std::ops::Range<usize>| {
        plan.instances()[0].inlined.iter().filter(|(at, _)| range.contains(&at.index())).count()
    };
    let loops = &plan.instances()[0].function.facts().loops;
    let all_inner = loops[1].header.index()..loops[1].next.index();
    assert_eq!(in_which(all_inner), 25);
    assert_eq!(in_which(loops[0].header.index()..loops[0].next.index()), 30);
    assert_eq!(in_which(0..loops[0].header.index()), most - 30);
}

#[test]
fn smaller_callees_come_first() {
    let [big, bigger] = [BIG, BIGGER].map(|callee| calls(callee, 20));
    let plan = Program::new(&[function(&format!("{bigger}{big}"))]).usual_plan();
    let n_bigger = (BUDGET.copied_ops - 20 * BIG_OPS) / BIGGER_OPS;
    check(&plan, &[(BIG, (20, 0)), (BIGGER, (n_bigger, 20 - n_bigger))]);
    let plan = Program::new(&[function(&format!("{}\ndrop{}", big, in_loop(&format!("\nget x.0{bigger}"))))]);
    let n_big = (BUDGET.copied_ops - 20 * BIGGER_OPS) / BIG_OPS;
    check(&plan.usual_plan(), &[(BIG, (n_big, 20 - n_big)), (BIGGER, (20, 0))]);
}

/// A level of recursion is inlined as a whole, or not at all.
#[test]
fn recursion_is_inlined_by_levels() {
    let own = Program::N_OWN;
    let call = calls(own, 1);
    let program = Program::new(&[function(&format!("{call}\nget x.0{call}\nadd"))]);
    let n_ops = program.0[own].ops.len();
    for (n_copies, n_inlined) in [(0, 0), (1, 0), (2, 2), (5, 2), (6, 6), (13, 6), (14, 14), (100, 14)] {
        let budget = InliningBudget { copied_ops: n_copies * n_ops, ..BUDGET };
        let plan = program.plan(CodeKind::Function, budget);
        check(&plan, &[(own, (n_inlined, n_inlined + 2))]);
    }
    let deep = InliningBudget { recursion: 9, copied_ops: 10_000, ..BUDGET };
    assert_eq!(program.plan(CodeKind::Function, deep).instances().len(), 10, "one for each level");
}

#[test]
fn code_of_a_loop_inlines_what_the_loop_calls() {
    let before = calls(BIG, 40);
    let [first, second] = [BIG, NEGATE].map(|callee| in_loop(&format!("\nget x.0{}", calls(callee, 3))));
    let program = Program::new(&[function(&format!("{before}\ndrop{first}\ndrop{second}"))]);
    check(&program.plan(CodeKind::Osr(0), BUDGET), &[(BIG, (3, 40)), (NEGATE, (0, 3))]);
    check(&program.plan(CodeKind::Osr(1), BUDGET), &[(BIG, (0, 43)), (NEGATE, (3, 0))]);
}

#[test]
fn smaller_budgets_end_with_nothing() {
    let budgets = std::iter::successors(Some(BUDGET), |budget| budget.less());
    let sums: Vec<_> = budgets.clone().map(|budget| budget.copied_ops + budget.copied_small_ops).collect();
    assert!(sums.is_sorted_by(|more, less| more > less) && sums.len() < 25, "{sums:?}");
    let budget = budgets.last().expect("there is one");
    assert_eq!(budget, InliningBudget::NOTHING);
    let ops = format!("{}{}", calls(BIG, 3), calls(NOT, 3));
    let plan = Program::new(&[function(&ops)]).plan(CodeKind::Function, budget);
    check(&plan, &[(NOT, (0, 3)), (BIG, (0, 3))]);
}
