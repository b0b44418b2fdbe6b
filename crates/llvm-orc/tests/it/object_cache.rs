//! Objects that are kept for the next start.

use std::fs;
use std::path::Path;

use llvm_orc::{Compiler, FunctionPass, Object, ObjectCache, OptLevel, Passes, Target};

use crate::test_kit::{Unary, dylib, square_plus};

fn open(directory: &Path) -> ObjectCache {
    // SAFETY: the tests' own directories, which nobody else writes.
    unsafe { ObjectCache::open(directory) }.unwrap()
}

fn compile(cache: &ObjectCache, addend: f64) -> Object {
    let mut compiler = Compiler::builder().opt_level(OptLevel::Less).cache(cache.clone()).build().unwrap();
    compiler.compile(|cx| square_plus(cx, "f", addend)).unwrap()
}

fn counts(cache: &ObjectCache) -> (u64, u64, u64) {
    (cache.hits(), cache.misses(), cache.failures())
}

fn only_file(directory: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(directory).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[test]
fn what_was_compiled_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let first = compile(&open(directory.path()), 1.0);
    let cache = open(directory.path());
    let second = compile(&cache, 1.0);
    assert_eq!(first.bytes(), second.bytes());
    assert_eq!(counts(&cache), (1, 0, 0));
    let tracker = dylib().add_object(&second).unwrap();
    // SAFETY: it is of that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((3.0,)), 10.0);
}

#[test]
fn all_that_an_object_depends_on_is_its_key() {
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
fn torn_and_foreign_files_are_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path());
    let object = compile(&cache, 1.0);
    let path = only_file(directory.path());
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&whole[..whole.len() / 2], b"", b"something else", &flipped] {
        fs::write(&path, damaged).unwrap();
        let misses = cache.misses();
        assert_eq!(compile(&cache, 1.0).bytes(), object.bytes());
        assert_eq!(cache.misses(), misses + 1);
        assert_eq!(fs::read(&path).unwrap(), whole, "the damage is mended");
    }
    // Another key's file under this name, as of two keys with the same hash.
    compile(&cache, 2.0);
    let other = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let other = other.into_iter().find(|other| *other != path).unwrap();
    fs::copy(other, &path).unwrap();
    assert_eq!(compile(&cache, 1.0).bytes(), object.bytes());
}

#[test]
fn a_cache_that_cannot_be_written_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("cache");
    let cache = open(&inner);
    fs::remove_dir_all(&inner).unwrap();
    compile(&cache, 1.0);
    assert_eq!(counts(&cache), (0, 1, 1));
    fs::write(&inner, "no directory").unwrap();
    // SAFETY: nothing is read.
    assert!(unsafe { ObjectCache::open(&inner) }.is_err());
}

#[test]
fn eight_threads_share_a_cache() {
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
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4, "nothing unfinished is left");
}
