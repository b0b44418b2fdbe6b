//! Stub pools: ids without gaps, permanent addresses, memory that is freed and never writable and
//! executable.

use std::collections::HashSet;
use std::fs::read_to_string;

use kaleidoscope_native::{HostPool, HostStub, Stub, StubId, StubPool, Trap};

use crate::support::{Script, add_one, add_two, child, code};

/// The permissions of the mapping around an address.
pub(crate) fn permissions(maps: &str, address: usize) -> String {
    let parse = |text: &str| usize::from_str_radix(text, 16).unwrap();
    maps.lines()
        .find_map(|line| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            (parse(start)..parse(end)).contains(&address).then(|| rest[..4].to_owned())
        })
        .expect("the address is mapped")
}

#[test]
fn a_hundred_thousand_stubs_keep_their_addresses() {
    const N: u32 = 100_000;
    let pool = StubPool::new();
    let stubs: Vec<Stub> = (0..N).map(|_| pool.allocate().unwrap()).collect();
    assert_eq!(pool.n_stubs(), N);
    let addresses: HashSet<_> = stubs.iter().map(Stub::address).collect();
    assert_eq!(addresses.len(), stubs.len());
    let slots: HashSet<_> = stubs.iter().map(Stub::slot_address).collect();
    assert_eq!(slots.len(), stubs.len());

    let script = Script::new().materialize(|id| Err(Trap::error(id)));
    for (number, stub) in (0..).zip(&stubs) {
        assert_eq!(stub.id(), StubId::new(number));
        let again = pool.get(stub.id()).unwrap();
        assert_eq!((again.address(), again.slot_address()), (stub.address(), stub.slot_address()));
        let Err(Trap::Error(error)) = script.call(stub.address(), &[]) else {
            panic!("the runtime returns the stub's id")
        };
        assert_eq!(error.downcast_ref(), Some(&stub.id()));
    }
    assert!(pool.get(StubId::new(N)).is_none());
}

#[test]
fn no_page_is_writable_and_executable() {
    let pool = StubPool::new();
    let hosts = HostPool::new();
    let stubs: Vec<Stub> = (0..2_000).map(|_| pool.allocate().unwrap()).collect();
    let host = hosts.allocate(1).unwrap();
    let maps = read_to_string("/proc/self/maps").unwrap();
    for stub in &stubs {
        assert_eq!(permissions(&maps, stub.address().get()), "r-xp");
        assert_eq!(permissions(&maps, stub.slot_address()), "rw-p");
    }
    assert_eq!(permissions(&maps, host.address().get()), "r-xp");
}

#[test]
fn a_stub_is_redirected_to_code_and_to_the_lazy_entry() {
    let pool = StubPool::new();
    let stub = pool.allocate().unwrap();
    let script = Script::new().materialize(|_| Ok(code(add_two as *const ())));
    assert_eq!(stub.target(), None);
    // SAFETY: the stub is called with one argument, and `add_one` is never freed.
    unsafe { stub.redirect(code(add_one as *const ())) };
    assert_eq!(stub.target(), Some(code(add_one as *const ())));
    assert_eq!(script.call(stub.address(), &[1.0]).unwrap(), 2.0);
    stub.redirect_to_lazy_entry();
    assert_eq!(stub.target(), None);
    assert_eq!(script.call(stub.address(), &[1.0]).unwrap(), 3.0);
}

#[test]
fn dropped_pools_are_unmapped() {
    // A process of its own: other tests map memory too.
    child("stub_pools::dropped_pools_are_unmapped", &["count"], |_| {
        let n_mappings = || read_to_string("/proc/self/maps").unwrap().lines().count();
        let before = n_mappings();
        for _ in 0..2_000 {
            let pool = StubPool::new();
            let stub = pool.allocate().unwrap();
            drop(pool);
            // The stub keeps its memory mapped.
            assert_eq!(stub.target(), None);
        }
        assert!(n_mappings() < before + 100);
    });
}

#[test]
fn each_pool_has_ids_of_its_own() {
    let (one, other) = (StubPool::default(), StubPool::default());
    assert!(one.get(StubId::new(0)).is_none());
    assert_eq!(one.allocate().unwrap().id(), other.allocate().unwrap().id());
    assert_ne!(one.get(StubId::new(0)).unwrap().address(), other.get(StubId::new(0)).unwrap().address());
}

#[test]
fn pools_are_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<StubPool>();
    check::<Stub>();
    check::<HostPool>();
    check::<HostStub>();
    check::<kaleidoscope_native::Error>();
}
