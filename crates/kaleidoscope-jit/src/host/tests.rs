//! The place of each number in the chunks.

use super::{FIRST, N_CHUNKS, place};
use kaleidoscope_native::HostId;

#[test]
fn places_follow_one_another() {
    let mut expected = (0, 0);
    for number in 0..10_000 {
        assert_eq!(place(HostId::new(number)), expected, "{number}");
        expected.1 += 1;
        if expected.1 == FIRST << expected.0 {
            expected = (expected.0 + 1, 0);
        }
    }
    let (chunk, at) = place(HostId::new(u32::MAX));
    assert_eq!(chunk, N_CHUNKS - 1);
    assert!(at < FIRST << chunk);
}
