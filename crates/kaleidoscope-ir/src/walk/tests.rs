//! The events of the walk, written as text.

use super::{BackEdge, Emitter, Join, Region, walk, walk_loop};
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, Op, OpIdx};
use std::collections::BTreeMap;

/// Writes each event with what the walk says about it.
#[derive(Default)]
struct Recorder<'f> {
    events: Vec<String>,
    inlinees: BTreeMap<FunctionId, &'f Function>,
}

impl Recorder<'_> {
    fn add(&mut self, event: impl Into<String>) {
        self.events.push(event.into());
    }
}

fn indices(variables: impl IntoIterator<Item = Local>) -> Vec<usize> {
    let mut indices: Vec<_> = variables.into_iter().map(Local::index).collect();
    indices.sort_unstable();
    indices
}

fn shown(region: Region<'_>) -> String {
    format!("{} assigns {:?}", region.number, indices(region.assigned.iter().copied()))
}

impl<'f> Emitter<'f> for Recorder<'f> {
    type If = usize;
    type Loop = usize;

    fn number(&mut self, _: f64) {}
    fn get(&mut self, _: Local) {}
    fn set(&mut self, _: Local) {}
    fn get_host(&mut self, _: HostVariable) {}
    fn set_host(&mut self, _: HostVariable) {}
    fn get_element(&mut self, _: OpIdx, _: HostArray) {}
    fn set_element(&mut self, _: OpIdx, _: HostArray) {}
    fn drop_value(&mut self) {}
    fn arithmetic(&mut self, _: Arithmetic) {}
    fn square(&mut self) {}

    fn call(&mut self, _: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'f Function> {
        self.add(format!("call {} with {n_args}", callee.index()));
        self.inlinees.get(&callee).copied()
    }

    fn end_inlinee(&mut self, is_reachable: bool) {
        self.add(format!("end inlinee, {is_reachable}"));
    }

    fn tail_call(&mut self) {
        self.add("tail call");
    }

    fn begin_if(&mut self, region: Region<'f>) -> usize {
        self.add(format!("if {}", shown(region)));
        region.number
    }

    fn begin_else(&mut self, state: &mut usize, region: Region<'f>, is_reachable: bool) {
        assert_eq!(*state, region.number);
        self.add(format!("else {}, {is_reachable}", region.number));
    }

    fn end_if(&mut self, state: usize, region: Region<'f>, join: Join) {
        assert_eq!(state, region.number);
        self.add(format!("end {}, {join:?}", region.number));
    }

    fn begin_loop(&mut self, region: Region<'f>) -> usize {
        self.add(format!("loop {}", shown(region)));
        region.number
    }

    fn end_loop(&mut self, state: usize, region: Region<'f>, back_edge: BackEdge<'_>) {
        assert_eq!(state, region.number);
        let BackEdge { loop_number, variable, .. } = back_edge;
        let live = indices(back_edge.live());
        self.add(format!("back edge {loop_number} of {}, live {live:?}", variable.index()));
    }
}

fn function(n_params: u32, n_locals: usize, ops: &[Op]) -> Function {
    Function::new("f", n_params, vec!["x".into(); n_locals], ops, 9)
}

const X: Local = Local::new(0);
const Y: Local = Local::new(1);
const I: Local = Local::new(2);
const CALL: Op = Op::Call { callee: FunctionId::new(7), n_args: 0 };

/// Counts `I` in a loop that reads `Y`, and does nothing else.
fn counting_loop(at: u32) -> [Op; 7] {
    let header = OpIdx::new(at + 2);
    [
        Op::Set(I),
        Op::Drop,
        Op::Loop,
        Op::Number(1.0),
        Op::Get(Y),
        Op::Next { variable: I, header },
        Op::Number(0.0),
    ]
}

#[test]
fn joins_say_which_branches_reach_them() {
    let if_ = Op::If { otherwise: OpIdx::new(6) };
    let else_ = Op::Else { end: OpIdx::new(8) };
    let set = [Op::Get(X), if_, Op::Get(X), Op::Set(Y), Op::Drop];
    for (first, second, join, is_reachable) in [
        (Op::Number(1.0), Op::Number(2.0), "Both", true),
        (Op::TailCall, Op::Number(2.0), "Second", true),
        (Op::Number(1.0), Op::TailCall, "First", true),
        (Op::TailCall, Op::TailCall, "Neither", false),
    ] {
        let f = function(2, 2, &[&set[..], &[first, else_, second, Op::End]].concat());
        let mut recorder = Recorder::default();
        assert_eq!(walk(&f, &mut recorder), is_reachable, "{join}");
        recorder.events.retain(|event| event != "tail call");
        let first_ends = first != Op::TailCall;
        let expected =
            ["if 0 assigns [1]".to_owned(), format!("else 0, {first_ends}"), format!("end 0, {join}")];
        assert_eq!(recorder.events, expected);
    }
}

#[test]
fn back_edges_have_the_live_variables() {
    let f = function(2, 3, &[&[Op::Get(X)][..], &counting_loop(1)].concat());
    let mut recorder = Recorder::default();
    walk(&f, &mut recorder);
    let expected = ["loop 0 assigns [2]", "back edge 0 of 2, live [1, 2]"];
    assert_eq!(recorder.events, expected);
    let mut of_loop = Recorder::default();
    walk_loop(&f, 0, &mut of_loop);
    assert_eq!(of_loop.events, expected);
}

#[test]
fn inlinees_are_walked_at_the_call() {
    let inlinee = function(0, 0, &[Op::TailCall]);
    let f = function(0, 0, &[CALL, CALL, Op::Drop]);
    let mut recorder =
        Recorder { inlinees: BTreeMap::from([(FunctionId::new(7), &inlinee)]), ..Recorder::default() };
    assert!(walk(&f, &mut recorder), "code behind an endless inlinee is emitted");
    let call = ["call 7 with 0", "tail call", "end inlinee, false"];
    assert_eq!(recorder.events, [call, call].concat());
}
