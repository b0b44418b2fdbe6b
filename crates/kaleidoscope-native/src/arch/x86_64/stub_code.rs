//! The bytes of stubs, and of the jump at the start of each mapping of stubs.
//!
//! The lazy entry and the host entry take what a stub has pushed. Writes no memory itself.

#[cfg(test)]
mod tests;

/// The size of a stub, and of the jump to the entry, in bytes.
pub(crate) const STUB_SIZE: usize = 16;

/// The size in bytes of a jump or push through a pointer: `op modrm disp32`.
const INDIRECT: usize = 6;
/// The size in bytes of `push imm32` and of `jmp rel32`.
const SHORT: usize = 5;

/// The id of a stub, and the addresses that its code refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StubAddresses {
    pub(crate) id: u32,
    pub(crate) stub: usize,
    pub(crate) slot: usize,
    /// The jump to the entry, at the start of the stub's mapping.
    pub(crate) entry_jump: usize,
}

/// A dispatch stub: `jmp [slot]; lazy_path: push id; jmp entry_jump`.
pub(crate) fn stub(addresses: StubAddresses) -> [u8; STUB_SIZE] {
    let mut bytes = [0; STUB_SIZE];
    bytes[..2].copy_from_slice(&[0xff, 0x25]);
    bytes[2..6].copy_from_slice(&displacement(addresses.stub + INDIRECT, addresses.slot));
    bytes[6] = 0x68;
    bytes[7..11].copy_from_slice(&addresses.id.to_le_bytes());
    bytes[11] = 0xe9;
    bytes[12..].copy_from_slice(&displacement(addresses.stub + INDIRECT + 2 * SHORT, addresses.entry_jump));
    bytes
}

/// The address of the second half of the stub at `stub`, which goes to the lazy entry.
pub(crate) fn lazy_path(stub: usize) -> usize {
    stub + INDIRECT
}

/// A host stub: `push [slot]; jmp entry_jump`. The slot holds the word for the host entry.
pub(crate) fn host_stub(addresses: StubAddresses) -> [u8; STUB_SIZE] {
    let mut bytes = [0xcc; STUB_SIZE];
    bytes[..2].copy_from_slice(&[0xff, 0x35]);
    bytes[2..6].copy_from_slice(&displacement(addresses.stub + INDIRECT, addresses.slot));
    bytes[6] = 0xe9;
    bytes[7..11].copy_from_slice(&displacement(addresses.stub + INDIRECT + SHORT, addresses.entry_jump));
    bytes
}

/// A jump to `entry`, which may be at any address: `jmp [rip+2]`, two bytes `int3`, the address.
pub(crate) fn entry_jump(entry: usize) -> [u8; STUB_SIZE] {
    let mut bytes = [0xcc; STUB_SIZE];
    bytes[..6].copy_from_slice(&[0xff, 0x25, 2, 0, 0, 0]);
    bytes[8..].copy_from_slice(&entry.to_le_bytes());
    bytes
}

/// The displacement from the end of an instruction to its target.
fn displacement(end: usize, target: usize) -> [u8; 4] {
    let distance = target.wrapping_sub(end) as isize;
    i32::try_from(distance).expect("a mapping is far smaller than 2 GiB").to_le_bytes()
}
