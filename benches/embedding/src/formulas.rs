//! Formulas in the common syntax and in the syntax of the peers that have another.

use symjit::{Expr, double, var};

/// A formula of `x`, `y` and `z`.
#[derive(Clone, Copy, Debug)]
pub struct Formula {
    /// The name.
    pub name: &'static str,
    /// In the syntax of most peers.
    pub usual: &'static str,
    /// In the syntax of evalexpr.
    pub evalexpr: &'static str,
    /// In the syntax of fasteval, which has no `exp` and no `sqrt`.
    pub fasteval: &'static str,
    /// As a tree of symjit, built without a text.
    pub symjit: fn() -> Expr,
}

/// All formulas: arithmetic only, mostly maths functions, and a long one.
pub const FORMULAS: &[Formula] = &[
    Formula {
        name: "polynomial",
        usual: "3 * x * x + 2 * y * x - z + 1.5",
        evalexpr: "3 * x * x + 2 * y * x - z + 1.5",
        fasteval: "3 * x * x + 2 * y * x - z + 1.5",
        symjit: || {
            let [x, y, z] = variables();
            &(&(&(&(&double(3.0) * &x) * &x) + &(&(&double(2.0) * &y) * &x)) - &z) + &double(1.5)
        },
    },
    Formula {
        name: "maths",
        usual: "sin(x) * exp(y / 10) + cos(z)",
        evalexpr: "math::sin(x) * math::exp(y / 10) + math::cos(z)",
        fasteval: "sin(x) * e()^(y / 10) + cos(z)",
        symjit: || {
            let [x, y, z] = variables();
            &(&x.sin() * &(&y / &double(10.0)).exp()) + &z.cos()
        },
    },
    Formula {
        name: "long",
        usual: "(x + y) * (x - y) / (1 + z * z) + (x * y + y * z + z * x) / (2 + x * x) \
                - sqrt(x * x + y * y + z * z) * (x / 3 + y / 5 + z / 7)",
        evalexpr: "(x + y) * (x - y) / (1 + z * z) + (x * y + y * z + z * x) / (2 + x * x) \
                   - math::sqrt(x * x + y * y + z * z) * (x / 3 + y / 5 + z / 7)",
        fasteval: "(x + y) * (x - y) / (1 + z * z) + (x * y + y * z + z * x) / (2 + x * x) \
                   - (x * x + y * y + z * z)^0.5 * (x / 3 + y / 5 + z / 7)",
        symjit: || {
            let [x, y, z] = variables();
            let first = &(&(&x + &y) * &(&x - &y)) / &(&double(1.0) + &(&z * &z));
            let second = &(&(&(&x * &y) + &(&y * &z)) + &(&z * &x)) / &(&double(2.0) + &(&x * &x));
            let root = (&(&(&x * &x) + &(&y * &y)) + &(&z * &z)).sqrt();
            let third = &(&(&x / &double(3.0)) + &(&y / &double(5.0))) + &(&z / &double(7.0));
            &(&first + &second) - &(&root * &third)
        },
    },
];

/// Returns the variables of every formula for symjit.
pub fn variables() -> [Expr; 3] {
    [var("x"), var("y"), var("z")]
}
