//! Scalars: parameters that have one value for all rows.

use super::{FORK, Functions, Random, is_same};
use crate::column::ColumnProgram;
use crate::compile::Unit;

const SCALED: &str = "function f(x.0 y.1 z.2)
    get x.0
    get y.1
    call sin#1000/1
    multiply
    get z.2
    add
    get y.1
    call sin#1000/1
    add";

#[test]
fn what_depends_on_scalars_alone_is_computed_once() {
    let functions = Functions::of_texts(&[SCALED]);
    let unit = Unit { scalars: [1, 2].into_iter().collect(), ..functions.unit() };
    let program = ColumnProgram::new(&unit).unwrap();
    let expected = "\
u0 = scalar 1
u1 = scalar 2
u2 = sin u0
s1 = multiply c0 u2
s2 = add s1 u1
s0 = add s2 u2
";
    assert_eq!(program.to_string(), expected);
    let mut random = Random(7);
    let xs = random.column(300);
    functions.n_maths.set(0);
    let out = functions.run(&program, &[&xs, &[0.5], &[-3.0]], 300);
    assert_eq!(functions.n_maths.get(), 1);
    let filled = functions.run(&functions.program(), &[&xs, &[0.5; 300], &[-3.0; 300]], 300);
    assert!(out.iter().zip(&filled).all(|(out, filled)| is_same(*out, *filled)));
}

#[test]
fn a_function_of_scalars_alone_has_the_value_in_all_rows() {
    let functions = Functions::of_texts(&[FORK]);
    let unit = Unit { scalars: [0, 1].into_iter().collect(), ..functions.unit() };
    let program = ColumnProgram::new(&unit).unwrap();
    for n_rows in [1, 9] {
        let out = functions.run(&program, &[&[2.0], &[3.0]], n_rows);
        let one = functions.run(&functions.program(), &[&[2.0], &[3.0]], 1);
        assert_eq!(out, vec![one[0]; n_rows]);
    }
}
