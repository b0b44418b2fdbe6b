//! `:ast`, `:ir`, `:llvm`, `:asm`: the stages of a function, or of text that does not run.

use super::{NAME, Talk};
use crate::args::EmitKind;
use crate::backend;
use crate::emit;
use kaleidoscope::{Engine, Mode, Origin};

/// `:ast NAME|TEXT`
pub(super) fn ast(talk: &mut Talk<'_>, argument: &str) {
    inspect(talk, EmitKind::Ast, argument);
}

/// `:ir NAME|TEXT`
pub(super) fn ir(talk: &mut Talk<'_>, argument: &str) {
    inspect(talk, EmitKind::Ir, argument);
}

/// `:llvm NAME|TEXT`
pub(super) fn llvm(talk: &mut Talk<'_>, argument: &str) {
    inspect(talk, EmitKind::Llvm, argument);
}

/// `:asm NAME|TEXT`
pub(super) fn asm(talk: &mut Talk<'_>, argument: &str) {
    inspect(talk, EmitKind::Asm, argument);
}

/// Shows a stage of the definition of this name, or of this text. The text is read by an engine of
/// its own, so that nothing changes in the session.
fn inspect(talk: &Talk<'_>, kind: EmitKind, argument: &str) {
    if argument.is_empty() {
        return talk.refuse("this command takes the name of a function, or a text");
    }
    let engine = match copy(talk, kind) {
        Ok(engine) => engine,
        Err(message) => return talk.refuse(&message),
    };
    let text = match talk.session.engine.function_info(argument).map(|info| info.origin) {
        Some(Origin::Program { source, .. }) => source.to_string(),
        Some(_) => return talk.refuse(&format!("`{argument}` has no text: it is not of the program")),
        None => argument.to_owned(),
    };
    let mut script = engine.script(NAME);
    script.push(&text);
    script.finish();
    while let Some(read) = script.read_next() {
        for diagnostic in &read.diagnostics {
            talk.session.reporter.report(diagnostic, &script.source());
        }
        if read.item.is_none() {
            return;
        }
        match emit::show(kind, &engine, &mut script, read.item.as_ref()) {
            Ok(text) => talk.print(&text),
            Err(message) => talk.refuse(&message),
        }
    }
}

/// An engine with the definitions of the session.
fn copy(talk: &Talk<'_>, kind: EmitKind) -> Result<Engine, String> {
    let builder = match kind {
        EmitKind::Llvm | EmitKind::Asm => {
            let (builder, _) = backend::builder(Mode::Lazy).map_err(|refusal| refusal.message)?;
            talk.session.options.optimization.apply(builder)
        }
        EmitKind::Tokens | EmitKind::Ast | EmitKind::Ir => Engine::builder().mode(Mode::Off),
    };
    builder.definitions_of(&talk.session.engine).build().map_err(|error| error.to_string())
}
