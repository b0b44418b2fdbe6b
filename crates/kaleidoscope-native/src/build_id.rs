//! Build ids: the hash of a program or shared object that the linker stores in it.
//!
//! Linkers store one where the compiler driver asks for it, as GCC of most distributions does, or
//! with `-Wl,--build-id`.

use std::ffi::{c_int, c_void};
use std::slice;

/// The type of the note with the build id, and the name of its owner.
const NT_GNU_BUILD_ID: u32 = 3;
const OWNER: &[u8] = b"GNU\0";

/// The build id of the program or shared object that is loaded at this address. `None` if it has
/// none, or nothing is loaded there.
pub fn build_id_at(address: usize) -> Option<Vec<u8>> {
    let mut search = Search { address, found: None };
    // SAFETY: `visit` has the expected signature, and gets the search, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}

struct Search {
    address: usize,
    found: Option<Vec<u8>>,
}

/// Looks at one loaded object. Returns 1 if it is the one that was searched.
unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
    // SAFETY: the search of `build_id_at`, which nothing else uses meanwhile.
    let search = unsafe { &mut *search.cast::<Search>() };
    // SAFETY: the C library passes a description that is valid during the call.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the object's program headers, which stay as long as the object.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr as usize;
    let segment = |header: &libc::Elf64_Phdr| {
        let start = base.wrapping_add(header.p_vaddr as usize);
        start..start.wrapping_add(header.p_memsz as usize)
    };
    let loaded = |header: &&libc::Elf64_Phdr| header.p_type == libc::PT_LOAD;
    if !headers.iter().filter(loaded).any(|header| segment(header).contains(&search.address)) {
        return 0;
    }
    for header in headers.iter().filter(|header| header.p_type == libc::PT_NOTE) {
        let notes = segment(header);
        let is_loaded =
            |load: &libc::Elf64_Phdr| segment(load).start <= notes.start && notes.end <= segment(load).end;
        if !headers.iter().filter(loaded).any(is_loaded) {
            continue;
        }
        let start = std::ptr::with_exposed_provenance(notes.start);
        // SAFETY: a part of a loaded segment. Notes are constant, and stay as long as the object,
        // which the C library keeps during the call.
        let notes = unsafe { slice::from_raw_parts(start, notes.len()) };
        search.found = find_in(notes, (header.p_align as usize).max(4));
        if search.found.is_some() {
            break;
        }
    }
    1
}

/// The build id among notes that are aligned to this many bytes.
fn find_in(mut notes: &[u8], align: usize) -> Option<Vec<u8>> {
    let word = |bytes: &[u8], nth: usize| {
        let bytes = bytes.get(4 * nth..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    loop {
        let (name_len, len) = (word(notes, 0)? as usize, word(notes, 1)? as usize);
        let note_type = word(notes, 2)?;
        let name = notes.get(12..)?.get(..name_len)?;
        let start = (12_usize.checked_add(name_len)?).next_multiple_of(align);
        let content = notes.get(start..)?.get(..len)?;
        if note_type == NT_GNU_BUILD_ID && name == OWNER && !content.is_empty() {
            return Some(content.to_vec());
        }
        notes = notes.get((start + len).next_multiple_of(align)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{build_id_at, find_in};

    #[test]
    fn the_note_is_found_among_others() {
        let note = |note_type: u32, name: &[u8], content: &[u8]| {
            let mut bytes = Vec::new();
            for word in [name.len() as u32, content.len() as u32, note_type] {
                bytes.extend(word.to_ne_bytes());
            }
            for part in [name, content] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let notes =
            [note(1, b"GNU\0", &[1; 16]), note(3, b"stapsdt\0", &[2; 5]), note(3, b"GNU\0", &[7; 20])]
                .concat();
        assert_eq!(find_in(&notes, 4), Some(vec![7; 20]));
        for len in 0..notes.len() - 1 {
            assert_eq!(find_in(&notes[..len], 4), None, "{len} bytes");
        }
        assert_eq!(find_in(&[255; 64], 4), None);
    }

    #[test]
    fn no_build_id_is_where_nothing_is_loaded() {
        assert_eq!(build_id_at(8), None);
    }

    /// What is found is in the program's file, as a whole note. Nothing is found only if the file
    /// has no such note.
    #[test]
    fn the_build_id_of_this_program_is_in_its_file() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let has_note = |len: usize, id: &[u8]| {
            let words = [super::OWNER.len() as u32, len as u32, super::NT_GNU_BUILD_ID];
            let note = [words.map(u32::to_ne_bytes).as_flattened(), super::OWNER, id].concat();
            file.windows(note.len()).any(|part| part == note)
        };
        let here = the_note_is_found_among_others as *const () as usize;
        let found = build_id_at(here);
        assert_eq!(found, build_id_at(here + 1));
        match found {
            Some(id) => assert!(has_note(id.len(), &id), "{id:x?}"),
            // The lengths that linkers write.
            None => assert!(![8, 16, 20].iter().any(|&len| has_note(len, &[]))),
        }
    }
}
