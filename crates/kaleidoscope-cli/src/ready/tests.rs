//! Pipes that are full, and pipes that are closed.

use super::write_all;
use std::cell::Cell;
use std::io::{ErrorKind, Read, pipe};
use std::thread;

/// More than a pipe holds.
const LARGE: usize = 1 << 20;

#[test]
fn a_slow_reader_gets_everything() {
    let (mut reader, writer) = pipe().unwrap();
    let bytes: Vec<u8> = (0..LARGE).map(|n| n as u8).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            write_all(&writer, &bytes, || false).unwrap();
            drop(writer);
        });
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
    });
}

#[test]
fn the_wait_for_a_reader_ends() {
    let (_reader, writer) = pipe().unwrap();
    let n_checks = Cell::new(0);
    let is_to_stop = || {
        n_checks.set(n_checks.get() + 1);
        n_checks.get() == 3
    };
    assert_eq!(write_all(&writer, &[0; LARGE], is_to_stop).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(n_checks.get(), 3);
}

#[test]
fn a_closed_pipe_is_an_error() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    assert_eq!(write_all(&writer, b"text", || false).unwrap_err().kind(), ErrorKind::BrokenPipe);
}
