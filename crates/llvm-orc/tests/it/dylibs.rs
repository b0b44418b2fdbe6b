//! Link order between dylibs, and removal of dylibs.

use llvm_orc::{ErrorKind, Jit};

use crate::test_kit::{Unary, calling, compiler, square_plus};

#[test]
fn link_order_starts_with_the_dylib_itself() {
    let jit = Jit::builder().build().unwrap();
    let [program, first, second] =
        ["program", "first", "second"].map(|name| jit.create_bare_dylib(name).unwrap());
    let mut compiler = compiler();
    let mut add = |dylib: &llvm_orc::Dylib, name: &str, plus: f64| {
        dylib.add_object(&compiler.compile(|cx| square_plus(cx, name, plus)).unwrap()).unwrap()
    };
    let _kept = [add(&first, "g", 1.0), add(&second, "g", 2.0), add(&second, "h", 3.0)];
    let call = |name: &str, callee: &str| {
        let caller = crate::test_kit::compiler().compile(|cx| calling(cx, name, callee)).unwrap();
        let tracker = program.add_object(&caller).unwrap();
        // SAFETY: the function has that type, and its callee lives until the end of the test.
        let found = unsafe { tracker.lookup_fn::<Unary>(name) };
        found.map(|f| f.call((2.0,)))
    };
    assert!(call("f0", "g").is_err(), "no link order was set");
    program.link_against(&[&first, &second]);
    assert_eq!(call("f1", "g").unwrap(), 5.0);
    assert_eq!(call("f2", "h").unwrap(), 7.0);
    program.link_against(&[&second, &first]);
    assert_eq!(call("f3", "g").unwrap(), 6.0);
    let _own = add(&program, "g", 10.0);
    assert_eq!(call("f4", "g").unwrap(), 14.0);
}

#[test]
fn a_removed_dylib_has_no_symbols_and_frees_its_name() {
    let jit = Jit::builder().build().unwrap();
    let program = jit.create_bare_dylib("program").unwrap();
    let mut compiler = compiler();
    for round in 0..50 {
        let library = jit.create_bare_dylib("library").unwrap();
        let taken = jit.create_bare_dylib("library").unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::Duplicate);
        let object = compiler.compile(|cx| square_plus(cx, "g", f64::from(round))).unwrap();
        let tracker = library.add_object(&object).unwrap();
        program.link_against(&[&library]);
        let caller = compiler.compile(|cx| calling(cx, "f", "g")).unwrap();
        let caller = program.add_object(&caller).unwrap();
        // SAFETY: the function has that type, and its callee was not removed.
        assert_eq!(unsafe { caller.lookup_fn::<Unary>("f") }.unwrap().call((1.0,)), 1.0 + f64::from(round));
        drop(caller);
        let other_handle = library.clone();
        library.remove().unwrap();
        other_handle.clone().remove().unwrap();
        // Remaining handles and link orders stay usable.
        assert!(other_handle.lookup("g").is_err());
        assert!(program.lookup("g").is_err());
        drop(tracker);
    }
}
