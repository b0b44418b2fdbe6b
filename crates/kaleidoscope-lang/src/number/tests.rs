//! The printing rule, and that what is printed reads back.

use super::format;
use crate::test_kit::Dice;

#[test]
fn numbers_print_with_the_fewest_digits() {
    let cases = [
        (9.0, "9"),
        (100_000.0, "100000"),
        (0.1, "0.1"),
        (0.0, "0"),
        (-0.0, "-0"),
        (1e16, "1e16"),
        (9_999_999_999_999_998.0, "9999999999999998"),
        (1e15, "1000000000000000"),
        (-1e16, "-1e16"),
        (1e-4, "0.0001"),
        (9.999e-5, "9.999e-5"),
        (0.00012, "0.00012"),
        (5e-324, "5e-324"),
        (4.234436995083681e231, "4.234436995083681e231"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (-f64::NAN, "nan"),
        (1.0 / 3.0, "0.3333333333333333"),
        (6.999744, "6.999744"),
        (f64::MAX, "1.7976931348623157e308"),
        (-1.5, "-1.5"),
    ];
    for (value, text) in cases {
        assert_eq!(format(value), text);
    }
}

#[test]
fn printed_numbers_read_back() {
    let mut dice = Dice(1);
    for _ in 0..10_000 {
        let value = f64::from_bits((dice.roll(1 << 32) as u64) << 32 | dice.roll(1 << 32) as u64);
        let text = format(value);
        let read: f64 = text.parse().expect("it is a number");
        assert!(read.to_bits() == value.to_bits() || value.is_nan(), "{text}");
    }
}
