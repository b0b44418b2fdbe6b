//! Cache files: complete files are read, damaged files are treated as missing.

use super::{checksum, decode, encode, write_part};

#[test]
fn a_complete_file_is_read() {
    let file = encode(b"key", b"object");
    assert_eq!(decode(&file, b"key"), Some(&b"object"[..]));
    assert_eq!(decode(&file, b"another"), None);
    assert_eq!(decode(&encode(b"", b""), b""), Some(&b""[..]));
}

#[test]
fn a_damaged_file_is_treated_as_missing() {
    let file = encode(b"key", b"object");
    for length in 0..file.len() {
        assert_eq!(decode(&file[..length], b"key"), None, "cut off after {length} bytes");
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
fn wrong_lengths_are_detected() {
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
