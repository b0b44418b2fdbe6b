//! Code memory: code is copied in, run and freed by many threads.

use std::cell::Cell;
use std::fs::{metadata, read_dir, read_link, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_native::{CodeBlock, CodeMemory, ErrorKind, Limits, Trap};

use crate::arch::{ENDLESS_LOOP, adds_constant};
use crate::stub_pools::permissions;
use crate::support::{Script, child, fork, under_valgrind};

/// `f(x): x + number`, followed by filler up to `n_bytes`.
fn adds(number: f64, n_bytes: usize) -> Vec<u8> {
    let mut code = adds_constant(number);
    code.resize(n_bytes.max(code.len()), 0xcc);
    code
}

fn allocate(memory: &CodeMemory, number: f64, n_bytes: usize) -> CodeBlock {
    let code = adds(number, n_bytes);
    let block = memory.allocate(&code, 16).unwrap();
    assert_eq!(block.n_bytes(), code.len());
    block
}

#[track_caller]
fn check(block: &CodeBlock, number: f64) {
    assert_eq!(Script::new().call(block.address(), &[0.5]).unwrap(), number + 0.5);
}

/// How many bytes of memory the files of code memory take, whether mapped or not.
fn bytes_of_code() -> u64 {
    let descriptors = read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let is_code =
        |path: &PathBuf| read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:code"));
    descriptors.filter(is_code).map(|path| metadata(path).unwrap().blocks() * 512).sum()
}

#[test]
fn a_hundred_thousand_functions_take_few_mappings() {
    child("code_memory::a_hundred_thousand_functions_take_few_mappings", &["count"], |_| {
        const N: usize = 100_000;
        let n_mappings = || read_to_string("/proc/self/maps").unwrap().lines().count();
        let before = n_mappings();
        let memory = CodeMemory::new();
        let mut blocks: Vec<_> = (0..N).map(|n| Some(allocate(&memory, n as f64, 100 + n % 400))).collect();
        assert!(n_mappings() < before + 100);
        for n in (0..N).step_by(97) {
            check(blocks[n].as_ref().unwrap(), n as f64);
        }
        // Every second function is freed and allocated again, larger or smaller; the others are
        // unchanged.
        for n in (0..N).step_by(2) {
            blocks[n] = None;
        }
        for n in (0..N).step_by(2) {
            blocks[n] = Some(allocate(&memory, -(n as f64), 100 + n % 300));
        }
        assert!(n_mappings() < before + 100);
        for n in (0..N).step_by(89) {
            check(blocks[n].as_ref().unwrap(), if n % 2 == 0 { -(n as f64) } else { n as f64 });
        }
    });
}

#[test]
fn no_page_is_ever_writable() {
    let memory = CodeMemory::new();
    let block = allocate(&memory, 1.0, 100);
    let maps = read_to_string("/proc/self/maps").unwrap();
    assert_eq!(permissions(&maps, block.address().get()), "r-xs");
    let writable = maps.lines().filter(|line| line.contains("/memfd:code") && line.contains('w'));
    assert_eq!(writable.count(), 0);
}

#[test]
fn threads_allocate_run_and_free_code() {
    let memory = CodeMemory::new();
    thread::scope(|scope| {
        for thread in 0..8 {
            let memory = &memory;
            scope.spawn(move || {
                let mut blocks: Vec<(f64, CodeBlock)> = Vec::new();
                for n in 0..3_000_usize {
                    let number = (thread * 10_000 + n) as f64;
                    blocks.push((number, allocate(memory, number, n * 31 % 700)));
                    let (number, block) = &blocks[n * 7 % blocks.len()];
                    check(block, *number);
                    if blocks.len() > 50 {
                        blocks.swap_remove(n * 13 % blocks.len());
                    }
                }
            });
        }
    });
}

#[test]
fn freed_memory_is_released() {
    child("code_memory::freed_memory_is_released", &["cycles"], |_| {
        let memory = CodeMemory::new();
        let cycle = |n: usize| {
            let blocks: Vec<_> =
                (0..4_000).map(|k| allocate(&memory, k as f64, 100 + (k * n) % 400)).collect();
            check(&blocks[n % blocks.len()], (n % blocks.len()) as f64);
        };
        // 36 MiB of code are allocated and freed in total; one slab is kept.
        for n in 0..30 {
            cycle(n);
            assert!(bytes_of_code() <= 1 << 20, "{} bytes are left", bytes_of_code());
        }
        let kept = allocate(&memory, 1.0, 3 << 20);
        assert!(bytes_of_code() >= 3 << 20);
        drop((kept, memory));
        assert_eq!(bytes_of_code(), 0);
    });
}

fn reuse() {
    let memory = CodeMemory::new();
    let before = allocate(&memory, 1.0, 100);
    check(&before, 1.0);
    let address = before.address();
    drop(before);
    let after = allocate(&memory, 2.0, 100);
    assert_eq!(after.address(), address, "the test needs memory that is reused");
    check(&after, 2.0);
}

#[test]
fn reused_memory_has_the_new_code() {
    reuse();
}

/// The tests run on threads, where Valgrind does not guess what is a stack.
#[test]
fn valgrind_sees_new_code_and_the_stacks_of_guarded_calls() {
    under_valgrind("code_memory::valgrind_sees_new_code_and_the_stacks_of_guarded_calls", || {
        reuse();
        let recursion = crate::guest::descent();
        assert_eq!(Script::new().call(recursion.code(), &[1000.0]).unwrap(), 1000.0);
        let limits = Limits::new().stack_bytes(64 << 10).deadline(Instant::now() + Duration::from_secs(60));
        let overflow = Script::new().call_within(&limits, crate::guest::endless_recursion().code(), &[]);
        assert!(matches!(overflow, Err(Trap::StackOverflow(_))), "{overflow:?}");
    });
}

#[test]
fn an_endless_loop_is_interrupted() {
    let memory = CodeMemory::new();
    let endless = memory.allocate(ENDLESS_LOOP, 16).unwrap();
    let limits = Limits::new().deadline(Instant::now() + Duration::from_millis(2));
    let outcome = Script::new().call_within(&limits, endless.address(), &[]);
    assert!(matches!(outcome, Err(Trap::DeadlinePassed(_))), "{outcome:?}");
}

#[test]
fn a_forked_child_writes_memory_of_its_own() {
    child("code_memory::a_forked_child_writes_memory_of_its_own", &["fork"], |_| {
        let memory = CodeMemory::new();
        let old = allocate(&memory, 1.0, 100);
        let freed_by_child = Cell::new(Some(allocate(&memory, 2.0, 100)));
        let in_child = || {
            drop(freed_by_child.take());
            let new: Vec<_> = (0..1_000).map(|n| allocate(&memory, f64::from(n), 100)).collect();
            check(&old, 1.0);
            (0..1_000).zip(&new).for_each(|(n, block)| check(block, f64::from(n)));
        };
        fork(in_child, || {});
        check(&old, 1.0);
        check(&freed_by_child.take().unwrap(), 2.0);
        check(&allocate(&memory, 3.0, 100), 3.0);
    });
}

#[test]
fn a_refused_allocation_is_an_error_and_harms_nothing() {
    child("code_memory::a_refused_allocation_is_an_error_and_harms_nothing", &["limit"], |_| {
        let memory = CodeMemory::new();
        let first = allocate(&memory, 1.0, 100);
        let limit = libc::rlimit { rlim_cur: 4 << 20, rlim_max: 4 << 20 };
        // SAFETY: passes a valid structure.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        // SAFETY: ignores the signal that would end the process.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let large = vec![0xcc; 8 << 20];
        assert_eq!(memory.allocate(&large, 16).unwrap_err().kind(), ErrorKind::CodeMemory);
        check(&first, 1.0);
        check(&allocate(&memory, 2.0, 200), 2.0);
    });
}

/// The line of `/proc/self/maps` with the address.
fn mapping_of(address: usize) -> Option<String> {
    let maps = read_to_string("/proc/self/maps").unwrap();
    let mut lines = maps.lines().filter(|line| {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).unwrap());
        (start..end).contains(&address)
    });
    lines.next().map(str::to_owned)
}

#[test]
fn code_for_a_debugger_is_in_private_memory_until_it_is_dropped() {
    child("code_memory::code_for_a_debugger_is_in_private_memory_until_it_is_dropped", &["run"], |_| {
        let memory = CodeMemory::for_debugger();
        let blocks = [1.0, 2.0].map(|number| allocate(&memory, number, 5000));
        for (block, number) in blocks.iter().zip([1.0, 2.0]) {
            check(block, number);
            let mapping = mapping_of(block.address().get()).unwrap();
            // No file, to which a debugger could not write.
            assert!(mapping.contains(" r-xp 00000000 00:00 0"), "{mapping}");
        }
        let addresses = blocks.each_ref().map(|block| block.address().get());
        drop(blocks);
        for address in addresses {
            assert_eq!(mapping_of(address).filter(|mapping| mapping.contains(" r-xp ")), None);
        }
    });
}
