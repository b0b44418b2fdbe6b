//! Chunks of bytes that may be anything.

use super::{Chunk, Chunks};

/// The chunks of the bytes: text as it is, bytes that are not UTF-8 in hexadecimal.
fn chunks(bytes: &[u8]) -> Vec<String> {
    let mut chunks = Chunks::of_bytes(bytes.to_vec());
    let mut shown = Vec::new();
    loop {
        match chunks.next_chunk().unwrap() {
            Chunk::Text(text) => shown.push(text),
            Chunk::NotUtf8(bytes) => shown.push(format!("{bytes:x?}")),
            Chunk::End => return shown,
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_are_chunks_of_their_own() {
    assert!(chunks(b"").is_empty());
    assert_eq!(chunks("1 + \u{e9}".as_bytes()), ["1 + \u{e9}"]);
    assert_eq!(chunks(b"1\xff\xfe2"), ["1", "[ff]", "[fe]", "2"]);
    assert_eq!(chunks(b"\xe2\x96\x91\xe2\x96"), ["\u{2591}", "[e2, 96]"]);
    assert_eq!(chunks(b"\xe2\x96x"), ["[e2, 96]", "x"]);
}

/// A file of a million mistakes: the bytes that no chunk has had yet stay where they are.
#[test]
fn no_chunk_moves_the_rest() {
    let mut chunks = Chunks::of_bytes([b'1', 0xff].repeat(500_000));
    let (place, length) = (chunks.bytes.as_ptr(), chunks.bytes.len());
    let mut n_chunks = 0;
    while chunks.next_chunk().unwrap() != Chunk::End {
        n_chunks += 1;
        assert_eq!((chunks.bytes.as_ptr(), chunks.bytes.len()), (place, length));
    }
    assert_eq!((n_chunks, chunks.n_decoded), (1_000_000, length));
}
