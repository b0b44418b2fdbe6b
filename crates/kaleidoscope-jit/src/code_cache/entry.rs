//! Entries: the format of a file. Magic, key and content with their lengths, and a checksum of all
//! that.

/// The beginning of each file. The digit changes with the format.
const MAGIC: &[u8; 8] = b"kalcode1";

pub(super) fn encode(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    for part in [key, content] {
        file.extend_from_slice(&(part.len() as u64).to_le_bytes());
        file.extend_from_slice(part);
    }
    let sum = checksum(&file);
    file.extend_from_slice(&sum.to_le_bytes());
    file
}

/// The content of a file that is whole and has this key.
pub(super) fn decode<'f>(file: &'f [u8], key: &[u8]) -> Option<&'f [u8]> {
    let (before, sum) = file.split_last_chunk()?;
    if checksum(before) != u64::from_le_bytes(*sum) {
        return None;
    }
    let rest = before.strip_prefix(MAGIC)?;
    let (found, rest) = split_part(rest)?;
    let (content, rest) = split_part(rest)?;
    (found == key && rest.is_empty()).then_some(content)
}

fn split_part(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = file.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)
}

/// FNV-1a with 64 bits. Any change of a single byte changes it.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
