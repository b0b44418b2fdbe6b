//! Diagnostics on standard error, for a person or for a program.

use crate::Exit;
use crate::args::MessageFormat;
use crate::console::Console;
use crate::ready;
use crate::refusal::Refusal;
use kaleidoscope::lang::diagnostic::{Color, render};
use kaleidoscope::{Diagnostic, Source, Span};
use serde_json::{Value, json};
use std::io::{self, IsTerminal};

/// Writes diagnostics to standard error.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    format: MessageFormat,
    color: Color,
    console: Console,
}

impl Reporter {
    /// Colors are for terminals only, and `NO_COLOR` turns them off.
    pub(crate) fn new(format: MessageFormat, console: Console) -> Self {
        let color = if wants_color() && io::stderr().is_terminal() { Color::Always } else { Color::Never };
        Self { format, color, console }
    }

    /// Writes the diagnostic, after all program output that came before it.
    pub(crate) fn report(&self, diagnostic: &Diagnostic, source: &Source) {
        let text = match self.format {
            MessageFormat::Human => format!("{}\n", render(diagnostic, source, self.color).trim_end()),
            MessageFormat::Json => format!("{}\n", as_json(diagnostic, source)),
        };
        self.write(&text);
    }

    /// Reports a failure without a place in a text, for example a file that cannot be read.
    pub(crate) fn failure(&self, message: &str) {
        self.without_place("error", message);
    }

    /// Reports why the command cannot begin or read on. Returns its exit code.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Exit {
        self.failure(&refusal.message);
        refusal.exit
    }

    /// Reports what does not change what the program does.
    pub(crate) fn warning(&self, message: &str) {
        self.without_place("warning", message);
    }

    fn without_place(&self, severity: &str, message: &str) {
        let text = match self.format {
            MessageFormat::Human => format!("{severity}: {message}\n"),
            MessageFormat::Json => format!("{}\n", json!({ "severity": severity, "message": message })),
        };
        self.write(&text);
    }

    fn write(&self, text: &str) {
        // If standard output or standard error fails, there is no place to report it.
        drop(self.console.flush());
        self.console.progress().make_room(text.as_bytes());
        // Where no one reads the output, no one may read the errors either.
        let is_to_stop = || self.console.is_to_stop();
        drop(ready::write_all(io::stderr().lock(), text.as_bytes(), is_to_stop));
    }
}

/// Whether the user wants colors, where a terminal shows them (<https://no-color.org>).
pub(crate) fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn as_json(diagnostic: &Diagnostic, source: &Source) -> Value {
    let mut object = json!({
        "code": diagnostic.code.as_str(),
        "severity": diagnostic.severity.name(),
        "message": diagnostic.message,
        "file": source.name(),
        "hint": diagnostic.hint,
        "labels": diagnostic.labels.iter().map(|label| {
            let mut object = place(label.span, source);
            object["text"] = json!(label.text);
            object
        }).collect::<Vec<_>>(),
    });
    if let (Some(span), Value::Object(fields)) = (diagnostic.span, &mut object) {
        let Value::Object(place) = place(span, source) else { unreachable!("`place` makes an object") };
        fields.extend(place);
    }
    object
}

pub(crate) fn place(span: Span, source: &Source) -> Value {
    let (start, end) = (source.position(span.start), source.position(span.end));
    json!({ "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column })
}
