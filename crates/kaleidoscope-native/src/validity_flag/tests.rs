//! Tests of pools of flags, on one thread and on several.

use std::collections::HashSet;

use super::{ValidityFlag, ValidityFlags, lock};
use crate::arch::{LOW_ADDRESSES, PAGE_SIZE};

fn allocate(pool: &ValidityFlags, n_flags: usize) -> Vec<ValidityFlag> {
    (0..n_flags).map(|_| pool.allocate().expect("the system has memory")).collect()
}

fn n_pages(pool: &ValidityFlags) -> usize {
    lock(&pool.bytes).pages.len()
}

#[test]
fn an_empty_pool_maps_nothing() {
    assert_eq!(n_pages(&ValidityFlags::new()), 0);
}

#[test]
fn each_flag_has_a_byte_of_its_own() {
    let pool = ValidityFlags::new();
    let flags = allocate(&pool, PAGE_SIZE + 1);
    assert_eq!(n_pages(&pool), 2);
    let addresses: HashSet<_> = flags.iter().map(ValidityFlag::address).collect();
    assert_eq!(addresses.len(), flags.len());
    for flag in flags.iter().step_by(2) {
        flag.set();
    }
    for (number, flag) in flags.iter().enumerate() {
        assert_eq!(flag.is_set(), number % 2 == 0);
        let byte = std::ptr::with_exposed_provenance::<u8>(flag.address());
        // SAFETY: the flag's byte, which nothing writes now.
        assert_eq!(unsafe { byte.read() } != 0, flag.is_set());
    }
}

#[test]
fn addresses_are_low_where_the_system_can() {
    let flag = ValidityFlags::new().allocate().expect("the system has memory");
    assert!(LOW_ADDRESSES.is_empty() || flag.address() < 1 << 31);
}

#[test]
fn a_returned_byte_is_used_again_and_not_set() {
    let pool = ValidityFlags::new();
    let flags = allocate(&pool, PAGE_SIZE);
    let before: HashSet<_> = flags.iter().map(ValidityFlag::address).collect();
    for flag in flags {
        flag.set();
    }
    let flags = allocate(&pool, PAGE_SIZE);
    assert_eq!(n_pages(&pool), 1);
    assert_eq!(flags.iter().map(ValidityFlag::address).collect::<HashSet<_>>(), before);
    assert!(!flags.iter().any(ValidityFlag::is_set));
}

#[test]
fn a_flag_outlives_its_pool() {
    let pool = ValidityFlags::new();
    let flag = pool.allocate().expect("the system has memory");
    drop(pool);
    flag.set();
    assert!(flag.is_set());
}

#[test]
fn threads_share_a_pool() {
    let pool = ValidityFlags::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let flags = allocate(&pool, 10);
                    let addresses: HashSet<_> = flags.iter().map(ValidityFlag::address).collect();
                    assert_eq!(addresses.len(), flags.len());
                    assert!(!flags.iter().any(ValidityFlag::is_set));
                    flags.iter().for_each(ValidityFlag::set);
                }
            });
        }
    });
    assert_eq!(n_pages(&pool), 1);
}
