//! The prelude: the usual operators, with the usual precedence.

use crate::{check, engine};
use kaleidoscope::{Engine, Mode, PRELUDE};

fn with_prelude(mode: Mode) -> Engine {
    let engine = engine(mode);
    assert_eq!(engine.prelude().diagnostics().count(), 0);
    engine
}

#[test]
fn arithmetic_follows_the_usual_rules() {
    for &mode in Mode::ALL {
        let engine = with_prelude(mode);
        check(
            &engine,
            "-2^2; (-2)^2; 2^-1; 2^3^2; 1/2; 1e-3; 3 - -3; 2--3; -(1 + 2) * 3; 7 - 2 - 1;",
            &[-4.0, 4.0, 0.5, 512.0, 0.5, 0.001, 6.0, 5.0, -9.0, 4.0],
            &[],
        );
        check(
            &engine,
            "1 + 2 < 4 == 1; 1 < 2 && 2 > 1; 0 && 0 || 1; !0 + !5; 1 > 2; 2 >= 2; 2 <= 1; 3 != 3;",
            &[1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0],
            &[],
        );
        check(&engine, "var x = 1 in (x = x + 1 : x * 10); 1 | 0 & 0;", &[20.0, 1.0], &[]);
    }
}

#[test]
fn negative_zero_and_nan_compare_as_usual() {
    for &mode in Mode::ALL {
        let engine = with_prelude(mode);
        check(
            &engine,
            "1 / -0; var n = 0/0 in (n == n) + (n > 1) + (n >= 1) + (n <= 1) + 10 * (n != n);",
            &[f64::NEG_INFINITY, 10.0],
            &[],
        );
        check(&engine, "var n = 0/0 in !n + (n && 1) + (n || 0);", &[1.0], &[]);
    }
}

#[test]
fn programs_can_redefine_the_prelude() {
    let engine = with_prelude(Mode::default());
    let names: Vec<_> = engine.functions().into_iter().map(|function| function.name).collect();
    for name in ["unary-", "unary!", "binary>", "binary==", "binary&&", "binary:"] {
        assert!(names.iter().any(|known| &**known == name), "{name}");
    }
    check(&engine, "def binary== 9 (a b) 7; 1 == 2;", &[7.0], &[]);
    let by_hand = engine.run(PRELUDE);
    assert_eq!(by_hand.items.len(), PRELUDE.matches("def ").count());
    check(&engine, "1 == 2;", &[0.0], &[]);

    let small = Engine::builder().max_functions(3).build().unwrap();
    assert!(small.prelude().diagnostics().count() > 0);
}
