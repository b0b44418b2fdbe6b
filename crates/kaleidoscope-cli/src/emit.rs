//! `emit`: shows a stage of a program. Nothing runs.

use crate::Exit;
use crate::args::{EmitKind, EmitOptions};
use crate::arrays;
use crate::backend;
use crate::console::Console;
use crate::input::Input;
use crate::report::Reporter;
use crate::session::read_all;
use kaleidoscope::lang::item::Item;
use kaleidoscope::lang::{syntax, token};
use kaleidoscope::{Engine, Listing, Mode, Script};

/// Shows the chosen stage.
pub(crate) fn emit(options: &EmitOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    let input = Input::of_path(&options.file);
    let mode = match options.kind {
        EmitKind::Tokens | EmitKind::Ast | EmitKind::Ir => Mode::Off,
        EmitKind::Llvm | EmitKind::Asm => Mode::Lazy,
    };
    let builder = match backend::builder(mode) {
        Ok((builder, _)) => options.optimization.apply(builder),
        Err(refusal) => return reporter.refuse(&refusal),
    };
    let engine = match options.prelude.build(builder) {
        Ok(engine) => engine,
        Err(error) => {
            reporter.failure(&error.to_string());
            return Exit::Program;
        }
    };
    if let Err(refusal) = arrays::bind(&options.arrays.arrays, &engine) {
        return reporter.refuse(&refusal);
    }
    let mut script = engine.script(&input.name());
    if options.kind == EmitKind::Tokens {
        script.reader().keep_tokens();
    }
    let mut exit = match read_all(&input, &mut script, &reporter) {
        Ok(exit) => exit,
        Err(refusal) => return reporter.refuse(&refusal),
    };
    let mut is_found = false;
    while let Some(read) = script.read_next() {
        for diagnostic in &read.diagnostics {
            reporter.report(diagnostic, &script.source());
            if diagnostic.is_error() {
                exit = Exit::Program;
            }
        }
        let is_wanted = options
            .function
            .as_deref()
            .is_none_or(|wanted| read.item.as_ref().and_then(name) == Some(wanted));
        if !is_wanted {
            continue;
        }
        is_found = true;
        match show(options.kind, &engine, &mut script, read.item.as_ref()) {
            // A failure shows at the end.
            Ok(text) => drop(console.print(&text)),
            Err(message) => {
                reporter.failure(&message);
                exit = Exit::Program;
            }
        }
    }
    if let (Some(name), false) = (&options.function, is_found) {
        reporter.failure(&format!("there is no function `{name}` in {}", input.name()));
        exit = Exit::Program;
    }
    if let Err(message) = console.finish() {
        reporter.failure(&message);
        exit = Exit::Program;
    }
    exit
}

/// The function's name, or the expression's.
fn name(item: &Item) -> Option<&str> {
    match item {
        Item::Definition { function, .. } | Item::Expression { function, .. } => Some(&function.name),
        _ => None,
    }
}

/// The stage of the item that the script read last.
///
/// # Errors
/// Why the item has none, as a sentence.
pub(crate) fn show(
    kind: EmitKind,
    engine: &Engine,
    script: &mut Script,
    item: Option<&Item>,
) -> Result<String, String> {
    let listing = match kind {
        EmitKind::Tokens => {
            let source = script.source();
            return Ok(token::listing(script.reader().tokens(), &source));
        }
        EmitKind::Ast => {
            let outline = script.reader().syntax().map(|(tree, item)| syntax::outline(item, tree));
            return Ok(outline.unwrap_or_default());
        }
        EmitKind::Ir => return Ok(item.and_then(|item| engine.ir_text(item)).unwrap_or_default()),
        EmitKind::Llvm => Listing::Llvm,
        EmitKind::Asm => Listing::Assembly,
    };
    let Some(item) = item else { return Ok(String::new()) };
    let text = engine.list(item, listing)?;
    Ok(text.map_or_else(String::new, |text| format!("{}\n", text.trim_end())))
}
