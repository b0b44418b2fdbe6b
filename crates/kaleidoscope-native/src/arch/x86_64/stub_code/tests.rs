//! The encodings.

use super::*;

#[test]
fn a_stub_is_encoded_as_by_an_assembler() {
    // jmp [rip+0x1ffa]; push 0x12345678; jmp rel32, which jumps back by 0x20.
    let addresses = StubAddresses { id: 0x1234_5678, stub: 0x1010, slot: 0x3010, entry_jump: 0x1000 };
    let expected = "ff 25 fa 1f 00 00 68 78 56 34 12 e9 e0 ff ff ff";
    assert_eq!(hex(stub(addresses)), expected);
    assert_eq!(lazy_path(addresses.stub), 0x1016);
}

#[test]
fn a_host_stub_and_an_entry_jump_are_encoded_as_by_an_assembler() {
    let addresses = StubAddresses { id: 7, stub: 0x1010, slot: 0x3010, entry_jump: 0x1000 };
    assert_eq!(hex(host_stub(addresses)), "ff 35 fa 1f 00 00 e9 e5 ff ff ff cc cc cc cc cc");
    assert_eq!(hex(entry_jump(0x1122_3344_5566_7788)), "ff 25 02 00 00 00 cc cc 88 77 66 55 44 33 22 11");
}

fn hex(bytes: [u8; STUB_SIZE]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(" ")
}
