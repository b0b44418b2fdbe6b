//! `fmt`: formats files in place.

mod replace;

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
use replace::replace;

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
            Input::File(path) if !is_formatted => replace(&path, &text, &formatted),
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
