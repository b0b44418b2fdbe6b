//! The bytes of stubs and of the headers that their mappings start with. Relies on the two entries taking what a stub has
//! pushed; writes no memory itself.

#[cfg(test)]
mod tests;

/// The size of a stub and of a mapping's header, in bytes.
pub(crate) const STUB_SIZE: usize = 16;

/// The length in bytes of a jump or push through a pointer: `op modrm disp32`.
const INDIRECT: usize = 6;
/// The length in bytes of a `push imm32` and of a `jmp rel32`.
const SHORT: usize = 5;

/// Where a stub lies, and what it refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StubPlace {
    pub(crate) id: u32,
    /// The addresses of the stub, of its slot, and of the header of its mapping.
    pub(crate) stub: usize,
    pub(crate) slot: usize,
    pub(crate) header: usize,
}

/// `jmp [slot]; lazy: push id; jmp header`.
pub(crate) fn stub(place: StubPlace) -> [u8; STUB_SIZE] {
    let mut bytes = [0; STUB_SIZE];
    bytes[..2].copy_from_slice(&[0xff, 0x25]);
    bytes[2..6].copy_from_slice(&relative(place.stub + INDIRECT, place.slot));
    bytes[6] = 0x68;
    bytes[7..11].copy_from_slice(&place.id.to_le_bytes());
    bytes[11] = 0xe9;
    bytes[12..].copy_from_slice(&relative(place.stub + INDIRECT + 2 * SHORT, place.header));
    bytes
}

/// Where the part of a stub starts that leads into the lazy entry.
pub(crate) fn lazy_part(stub: usize) -> usize {
    stub + INDIRECT
}

/// `push [slot]; jmp header`: the slot holds the word for the host entry. The rest is `int3`.
pub(crate) fn host_stub(place: StubPlace) -> [u8; STUB_SIZE] {
    let mut bytes = [0xcc; STUB_SIZE];
    bytes[..2].copy_from_slice(&[0xff, 0x35]);
    bytes[2..6].copy_from_slice(&relative(place.stub + INDIRECT, place.slot));
    bytes[6] = 0xe9;
    bytes[7..11].copy_from_slice(&relative(place.stub + INDIRECT + SHORT, place.header));
    bytes
}

/// `jmp [rip+2]`, two bytes of `int3`, and the address it jumps to: an entry may lie anywhere.
pub(crate) fn header(entry: usize) -> [u8; STUB_SIZE] {
    let mut bytes = [0xcc; STUB_SIZE];
    bytes[..6].copy_from_slice(&[0xff, 0x25, 2, 0, 0, 0]);
    bytes[8..].copy_from_slice(&entry.to_le_bytes());
    bytes
}

/// The distance from the end of an instruction.
fn relative(end: usize, target: usize) -> [u8; 4] {
    let distance = target.wrapping_sub(end) as isize;
    i32::try_from(distance).expect("a mapping is far smaller than 2 GiB").to_le_bytes()
}
