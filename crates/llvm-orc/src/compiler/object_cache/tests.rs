//! What is not just the file that was written is no file.

use super::{checksum, decode, encode, write_part};

#[test]
fn a_file_is_read_as_it_was_written() {
    let file = encode(b"key", b"object");
    assert_eq!(decode(&file, b"key"), Some(&b"object"[..]));
    assert_eq!(decode(&file, b"another"), None);
    assert_eq!(decode(&encode(b"", b""), b""), Some(&b""[..]));
}

#[test]
fn a_damaged_file_is_none() {
    let file = encode(b"key", b"object");
    for length in 0..file.len() {
        assert_eq!(decode(&file[..length], b"key"), None, "torn after {length} bytes");
    }
    for idx in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[idx / 8] ^= 1 << (idx % 8);
        assert_eq!(decode(&damaged, b"key"), None, "bit {idx}");
    }
    let longer = [&file[..], b"more"].concat();
    assert_eq!(decode(&longer, b"key"), None);
}

#[test]
fn lengths_are_not_believed() {
    for length in [0, 4, u64::MAX] {
        let mut file = super::MAGIC.to_vec();
        write_part(&mut file, b"key");
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(b"abc");
        let sum = checksum(&file);
        file.extend_from_slice(&sum.to_le_bytes());
        assert_eq!(decode(&file, b"key"), None, "{length}");
    }
}
