//! `fmt`: formats files in place.

use crate::Exit;
use crate::args::FmtOptions;
use crate::console::Console;
use crate::input::{Chunk, Input};
use crate::refusal::Refusal;
use crate::report::Reporter;
use kaleidoscope::PRELUDE;
use kaleidoscope::lang::format::{FormatError, format};
use kaleidoscope::lang::names::Names;
use kaleidoscope::lang::reader::Reader;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Formats the files. One that has a mistake in form stays as it is, and so does one that needs no
/// change.
pub(crate) fn fmt(options: &FmtOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    let mut exit = Exit::Success;
    for path in &options.files {
        let input = Input::of_path(path);
        let text = match read(&input) {
            Ok(text) => text,
            Err(refusal) => {
                exit = exit.max(reporter.refuse(&refusal));
                continue;
            }
        };
        let formatted = match formatted(&input.name(), &text) {
            Ok(formatted) => formatted,
            Err(error) => {
                for diagnostic in &error.diagnostics {
                    reporter.report(diagnostic, &error.source);
                }
                exit = exit.max(Exit::Program);
                continue;
            }
        };
        let is_formatted = formatted == text;
        let written = match input {
            _ if options.check => {
                if !is_formatted {
                    exit = exit.max(Exit::Program);
                    drop(console.print(&format!("{}\n", input.name())));
                }
                Ok(())
            }
            Input::File(path) if !is_formatted => replace(&path, &formatted),
            Input::File(_) => Ok(()),
            Input::Stdin | Input::Text(_) => {
                // A failure shows at the end.
                drop(console.print(&formatted));
                Ok(())
            }
        };
        if let Err(message) = written {
            reporter.failure(&message);
            exit = exit.max(Exit::Program);
        }
    }
    if let Err(message) = console.finish() {
        reporter.failure(&message);
        exit = exit.max(Exit::Program);
    }
    exit
}

fn read(input: &Input) -> Result<String, Refusal> {
    let mut chunks = input.open()?;
    let mut text = String::new();
    loop {
        match chunks.next_chunk().map_err(Refusal::usage)? {
            Chunk::Text(chunk) => text.push_str(&chunk),
            Chunk::NotUtf8(_) => return Err(Refusal::usage(format!("{} is not UTF-8", input.name()))),
            Chunk::End => return Ok(text),
        }
    }
}

/// The formatted text. Only a text that lacks the operators of the prelude is read with them: its
/// words may be names otherwise.
fn formatted(name: &str, text: &str) -> Result<String, FormatError> {
    format(name, text, Names::new()).or_else(|error| format(name, text, with_prelude()).map_err(|_| error))
}

/// The names of the prelude.
fn with_prelude() -> Names {
    let mut names = Names::new();
    let mut reader = Reader::new("prelude");
    reader.push(PRELUDE);
    reader.finish();
    while let Some(read) = reader.read(&names) {
        read.item.iter().for_each(|item| names.commit(item));
    }
    names.use_conventions(&[]);
    names
}

/// Replaces a file in one step: a reader sees the old text or the new one.
fn replace(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error| format!("cannot write {}: {error}", path.display());
    // Through a symbolic link, which stays.
    let path = fs::canonicalize(path).map_err(failed)?;
    let permissions = fs::metadata(&path).map_err(failed)?.permissions();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".kaleidoscope-").tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().set_permissions(permissions).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}
