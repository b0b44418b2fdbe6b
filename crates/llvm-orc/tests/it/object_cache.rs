//! Object cache: objects are stored in a directory and reused by the next compiler.

use std::fs;
use std::path::Path;

use llvm_orc::{Compiler, FunctionPass, Object, ObjectCache, OptLevel, Passes, Target};

use crate::test_kit::{Unary, dylib, square_plus};
use crate::time_limit::within_limit;

fn open(directory: &Path) -> ObjectCache {
    // SAFETY: the directory belongs to the test, and no other program writes to it.
    unsafe { ObjectCache::open(directory) }.unwrap()
}

fn compile(cache: &ObjectCache, addend: f64) -> Object {
    let mut compiler = Compiler::builder().opt_level(OptLevel::Less).cache(cache.clone()).build().unwrap();
    compiler.compile(|cx| square_plus(cx, "f", addend)).unwrap()
}

fn counts(cache: &ObjectCache) -> (u64, u64, u64) {
    (cache.hits(), cache.misses(), cache.failures())
}

fn single_file(directory: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(directory).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[test]
fn a_compiled_object_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let first = compile(&open(directory.path()), 1.0);
    let cache = open(directory.path());
    let second = compile(&cache, 1.0);
    assert_eq!(first.bytes(), second.bytes());
    assert_eq!(counts(&cache), (1, 0, 0));
    let tracker = dylib().add_object(&second).unwrap();
    // SAFETY: the function has that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((3.0,)), 10.0);
}

#[test]
fn the_key_contains_everything_an_object_depends_on() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path());
    compile(&cache, 1.0);
    compile(&cache, 2.0);
    let builder = || Compiler::builder().opt_level(OptLevel::Less).cache(cache.clone());
    let older = Target::host().unwrap().with_cpu("x86-64").unwrap().with_features("").unwrap();
    let featured = older.clone().with_features("+avx").unwrap();
    for builder in [
        builder().opt_level(OptLevel::None),
        builder().passes(Passes::functions(&[FunctionPass::EarlyCse])),
        builder().target(older),
        builder().target(featured),
    ] {
        builder.build().unwrap().compile(|cx| square_plus(cx, "f", 1.0)).unwrap();
    }
    assert_eq!(counts(&cache), (0, 6, 0));
    compile(&cache, 1.0);
    assert_eq!(counts(&cache), (1, 6, 0));
}

#[test]
fn damaged_files_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path());
    let object = compile(&cache, 1.0);
    let path = single_file(directory.path());
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&whole[..whole.len() / 2], b"", b"something else", &flipped] {
        fs::write(&path, damaged).unwrap();
        let misses = cache.misses();
        assert_eq!(compile(&cache, 1.0).bytes(), object.bytes());
        assert_eq!(cache.misses(), misses + 1);
        assert_eq!(fs::read(&path).unwrap(), whole, "the file was replaced");
    }
    // The file of another key has this name, as if both keys had the same hash.
    compile(&cache, 2.0);
    let other = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let other = other.into_iter().find(|other| *other != path).unwrap();
    fs::copy(other, &path).unwrap();
    assert_eq!(compile(&cache, 1.0).bytes(), object.bytes());
}

#[test]
fn failed_writes_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("cache");
    let cache = open(&inner);
    fs::remove_dir_all(&inner).unwrap();
    compile(&cache, 1.0);
    assert_eq!(counts(&cache), (0, 1, 1));
    fs::write(&inner, "no directory").unwrap();
    // SAFETY: no file is read.
    assert!(unsafe { ObjectCache::open(&inner) }.is_err());
}

#[test]
fn eight_threads_share_a_cache() {
    within_limit(|| {
        let directory = tempfile::tempdir().unwrap();
        let cache = open(directory.path());
        let expected: Vec<_> = (0..4).map(|n| compile(&cache, f64::from(n)).bytes().to_vec()).collect();
        for file in fs::read_dir(directory.path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..20 {
                        assert_eq!(compile(&cache, f64::from(n % 4)).bytes(), expected[n as usize % 4]);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4, "no temporary file is left");
    });
}
