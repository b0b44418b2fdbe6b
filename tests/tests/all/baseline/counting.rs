//! Counters: how often they trip, and what happens to a loop that is replaced.

use super::machine::Way;
use super::random;

/// Runs the text, and checks whether loops were replaced or tail calls continued in the slot.
#[track_caller]
fn check(text: &str, leaves: bool) {
    for way in [Way::Counting, Way::FewRegistersCounting] {
        let trips = random::check(text, way);
        assert!(trips.n_entries > 0, "{trips:?}");
        assert_eq!(trips.n_left > 0, leaves, "{trips:?}");
    }
}

#[test]
fn entries_are_counted_and_nothing_else_happens() {
    check("def f(x) if x < 1 then 1 else f(x - 1) + f(x - 2); f(12);", false);
}

#[test]
fn a_replaced_loop_continues_behind_or_at_its_header() {
    check(
        "def f(n) var s = 0 in (for i = 1, i < n in s = s + i * i) + s + n;
        def twice(n) f(n) + f(n * 2); twice(50); twice(51); twice(52);",
        true,
    );
}

#[test]
fn no_iteration_runs_twice() {
    // The first loop has its variables in registers, because it does not call in each iteration.
    check(
        "def f(n) (for i = 0, i < n in if i < n - 2 then printd(i) else 0) + (for i = 0, i < n in printd(i));
        f(20); f(21); f(22);",
        true,
    );
}

#[test]
fn variables_of_all_sorts_are_passed_to_the_osr_entry() {
    check(
        "def f(n unread read) var a = n * 2, b = 1, c = (var d = a in d = d + 1) in
            (for i = c, i < n * 3, (if i < 9 then 1 else 2) in
                var e = i * read in
                (for j = 0, j < e, 3 in (b = b + j * c + (var e = j, g = i in e + g))) + (a = a + e))
            + (if n < 10 then (for k = a, k < a + n, 1 in (b = b + k)) else (b = b * 2)) + unread * b + a + c;
        def many(n) (for i = 0, i < n in printd(f(i, 2, 0.5))) + f(n, 3, 1); many(15);",
        true,
    );
}

#[test]
fn what_a_loop_calls_may_fail() {
    check(
        "def f(n) var s = 0 in (for i = 0, i < n in (s = s + (if i < 12 then i else g(i)))) + s;
        f(5); f(10); f(20); def g(x) 0 - x; f(30); f(31); f(32);",
        true,
    );
}

#[test]
fn tail_calls_continue_in_the_slot_after_a_trip() {
    check(
        "def f(n s) if n < 1 then s else (if n < 5 then f(n - 1, s * 2) else f(n - 2, s + n));
        def both(n) (for i = 0, i < 3 in n = n + i) + (if n < 1 then n else g(n)); def g(n) f(n, 1);
        f(40, 0); both(30); f(41, 1); both(31);",
        true,
    );
}

#[test]
fn tail_calls_keep_what_lives_across_calls() {
    check(
        "def less(x) x - 1;
        def f(n s) if less(n) < 1 then s else var t = less(s) * 2 in (if n < 7 then f(n - 1, s + less(t) + t) else f(less(n), t + s));
        f(30, 1); f(41, 2); f(52, 3);
        def g(n s) if n < 1 then s else if floor(n / 3) * 3 < n then g(floor(n) - 1, s + sqrt(n)) else g(n - 1, s);
        g(30.5, 1); g(41, 2);",
        true,
    );
}

#[test]
fn tail_calls_pass_as_many_parameters_as_are_in_registers_and_more() {
    for more in ["", " i"] {
        let (params, passed_on) = (more, more.replace(' ', ", "));
        check(
            &format!(
                "def f(n a b c d e g h{params}) if n < 1 then a + b * 2 + c * 3 + d * 4 + e * 5 + g * 6 + h * 7
                    else f(n - 1, b, c, d, e, g, h, a + n{passed_on});
                def call(n) f(n, 1, 2, 3, 4, 5, 6, 7{});
                call(20); call(31); call(42);",
                if more.is_empty() { "" } else { ", 8" },
            ),
            true,
        );
    }
}
