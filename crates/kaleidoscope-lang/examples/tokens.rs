//! Prints the tokens of files as JSON: an array for each file, one a line.
//!
//! The places count units of UTF-16, as editors do. The tests of grammars for editors compare with
//! this.

use kaleidoscope_lang::tokens;
use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    for path in env::args_os().skip(1) {
        let text = fs::read_to_string(path)?;
        let (mut end, mut n_units) = (0, 0);
        let mut place = |offset: u32| {
            n_units += text[end..offset as usize].encode_utf16().count();
            end = offset as usize;
            n_units
        };
        let objects: Vec<_> = tokens(&text, true)
            .iter()
            .map(|token| {
                let (start, end) = (place(token.span.start), place(token.span.end));
                format!("{{\"kind\":\"{}\",\"start\":{start},\"end\":{end}}}", token.kind.name())
            })
            .collect();
        println!("[{}]", objects.join(","));
    }
    Ok(())
}
