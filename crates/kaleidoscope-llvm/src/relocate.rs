//! Relocating: fills in what a relocatable object lacks, its name and its address table.

use kaleidoscope_ir::compile::CompileError;
use object::{File, Object as _, ObjectSection as _, ObjectSymbol as _};
use std::ops::Range;

use crate::symbols;

/// Gives the object's code this name, and its address table these words.
///
/// # Errors
/// If this is no relocatable object with this number of words.
pub(crate) fn relocate(
    object: &mut [u8],
    symbol: &str,
    words: impl ExactSizeIterator<Item = u64>,
) -> Result<(), CompileError> {
    let places = find_places(object, words.len())
        .ok_or_else(|| CompileError::Failed("an object has no name or no address table".to_owned()))?;
    let Places { name, table } = places;
    object[name].copy_from_slice(symbol.as_bytes());
    // Code that refers to nothing has no table.
    if let Some(table) = table {
        for (place, word) in object[table].chunks_exact_mut(size_of::<u64>()).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
    }
    Ok(())
}

/// What is filled in, as ranges of the file.
struct Places {
    name: Range<usize>,
    table: Option<Range<usize>>,
}

fn find_places(object: &[u8], n_words: usize) -> Option<Places> {
    let file = File::parse(object).ok()?;
    let symbol = file.symbols().find(|symbol| symbol.name_bytes() == Ok(symbols::RELOCATABLE.as_bytes()))?;
    let name = symbol.name_bytes().ok()?;
    // The name is a part of the file.
    let start = name.as_ptr().addr().checked_sub(object.as_ptr().addr())?;
    let name = start..start + name.len();
    object.get(name.clone())?;
    let table = match file.section_by_name(symbols::ADDRESS_SECTION) {
        None => None,
        Some(section) => {
            let (start, len) = section.file_range()?;
            let start = usize::try_from(start).ok()?;
            let table = start..start.checked_add(usize::try_from(len).ok()?)?;
            (table.len() == n_words * size_of::<u64>()).then_some(())?;
            object.get(table.clone())?;
            Some(table)
        }
    };
    Some(Places { name, table })
}
