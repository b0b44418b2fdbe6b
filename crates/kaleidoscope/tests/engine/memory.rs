//! Memory stays level while functions come and go.

use kaleidoscope::{Engine, Function, Optimization};
use std::process::Command;

const N_DEFINITIONS: usize = 1_000;

/// What a body leaves behind for good must be less than this, in bytes: its name alone is more.
const EACH: usize = 20;

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let n_pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    n_pages << 12
}

/// Looks at stretches of definitions after a first one, and asks for one that needs no memory: an allocator takes some pages
/// now and then, while what leaks grows in every stretch. What a process uses can be told of one test only if no other
/// runs in it, so this one is run once more in a process of its own.
#[test]
fn redefinitions_leave_memory_level() {
    const ALONE: &str = "KALEIDOSCOPE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "memory::redefinitions_leave_memory_level"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let engine = Engine::builder().optimization(Optimization::None).build().unwrap();
    engine.run("def f(x) x; def caller(x) f(x) * 2; caller(1);");
    let [f, caller]: [Function<(f64,)>; 2] = ["f", "caller"].map(|name| engine.function(name).unwrap());
    let mut grown = Vec::new();
    for stretch in 0..9 {
        let before = resident();
        for n in stretch * N_DEFINITIONS..(stretch + 1) * N_DEFINITIONS {
            engine.run(&format!("def f(x) x * x + {n}.25;"));
            let expected = 9.25 + n as f64;
            assert_eq!(f.call((3.0,)).unwrap(), expected);
            assert_eq!(caller.call((3.0,)).unwrap(), 2.0 * expected);
        }
        grown.push(resident().saturating_sub(before));
        if stretch > 0 && grown[stretch] < N_DEFINITIONS * EACH {
            return;
        }
    }
    panic!("bytes more after each {N_DEFINITIONS} definitions: {grown:?}");
}
