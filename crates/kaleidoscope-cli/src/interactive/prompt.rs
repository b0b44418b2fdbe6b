//! The prompt: reads entries of one or more lines, and keeps their history across sessions.

use super::assistant::Assistant;
use super::life::Printer;
use super::variables::Variables;
use crate::progress::Progress;
use crate::report::wants_color;
use kaleidoscope::Engine;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Editor, Event, EventContext,
    EventHandler, ExternalPrinter as _, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

const PROMPT: &str = "ready> ";

/// The most entries that the history keeps.
const HISTORY_SIZE: usize = 10_000;

/// What was typed.
pub(super) enum Entry {
    /// One or more complete items or commands.
    Text(String),
    /// Ctrl-C dropped what was being typed.
    GivenUp,
    /// The end of input.
    End,
    /// Why the terminal cannot be read.
    Failed(String),
}

/// Reads entries from the terminal.
pub(super) struct Prompt {
    editor: Editor<Assistant, FileHistory>,
    /// `None` if there is no place for it.
    history: Option<PathBuf>,
}

impl Prompt {
    /// Opens the terminal, and reads the history.
    ///
    /// # Errors
    /// Why the terminal cannot be used, as a sentence.
    pub(super) fn open(engine: Engine, variables: Variables) -> Result<Self, String> {
        let failed = |error: ReadlineError| format!("the terminal cannot be used: {error}");
        let color = if wants_color() { ColorMode::Enabled } else { ColorMode::Disabled };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .color_mode(color)
            .build();
        let mut editor = Editor::<Assistant, FileHistory>::with_config(config).map_err(failed)?;
        editor.set_max_history_size(HISTORY_SIZE).map_err(failed)?;
        editor.set_helper(Some(Assistant::new(engine, variables)));
        for (key, direction) in
            [(KeyCode::Up, Cmd::HistorySearchBackward), (KeyCode::Down, Cmd::HistorySearchForward)]
        {
            let handler = EventHandler::Conditional(Box::new(PrefixSearch(direction)));
            editor.bind_sequence(KeyEvent(key, Modifiers::NONE), handler);
        }
        let history = history_file(|name| env::var_os(name).map(PathBuf::from));
        let history = history.filter(|path| prepare(path).is_some());
        if let Some(path) = &history {
            // There is none yet, or it is damaged: the session works without.
            drop(editor.load_history(path));
        }
        Ok(Self { editor, history })
    }

    /// Reads the next entry.
    pub(super) fn read(&mut self) -> Entry {
        match self.editor.readline(PROMPT) {
            Ok(text) => {
                self.remember(&text);
                Entry::Text(text)
            }
            Err(ReadlineError::Interrupted) => Entry::GivenUp,
            Err(ReadlineError::Eof) => Entry::End,
            Err(error) => Entry::Failed(format!("the terminal cannot be read: {error}")),
        }
    }

    /// A printer that other threads can use while the prompt is shown.
    pub(super) fn printer(&mut self, progress: Progress) -> Option<Printer> {
        let mut printer = self.editor.create_external_printer().ok()?;
        Some(Box::new(move |text| {
            progress.make_room(text.as_bytes());
            // The terminal may be gone.
            drop(printer.print(text));
        }))
    }

    /// Adds an entry to the history, at once: a session that is killed loses nothing.
    fn remember(&mut self, text: &str) {
        let is_new = !text.trim().is_empty() && self.editor.add_history_entry(text).unwrap_or(false);
        if is_new && let Some(path) = &self.history {
            drop(self.editor.append_history(path));
        }
    }
}

/// The file of the history (XDG Base Directory Specification: state that stays across restarts).
fn history_file(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let state =
        state.or_else(|| Some(variable("HOME").filter(|path| path.is_absolute())?.join(".local/state")))?;
    Some(state.join("kaleidoscope").join("history"))
}

/// Makes the folder of the history, for this user only. `None` if that is not possible. The file
/// itself is made with mode 0600 by the editor.
fn prepare(history: &Path) -> Option<()> {
    let folder = history.parent()?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()
}

/// An arrow key searches the history for entries that begin with what is left of the cursor. In an
/// entry of several lines it moves to another line, where there is one.
struct PrefixSearch(Cmd);

impl ConditionalEventHandler for PrefixSearch {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let (before, after) = context.line().split_at(context.pos());
        let has_line = match self.0 {
            Cmd::HistorySearchBackward => before.contains('\n'),
            _ => after.contains('\n'),
        };
        // At the end of the text; elsewhere the key does what it usually does.
        let is_prefix = after.is_empty() && !before.is_empty() && !has_line;
        is_prefix.then(|| self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_lies_in_the_state_folder() {
        let of = |state: Option<&'static str>, home: Option<&'static str>| {
            history_file(move |name| match name {
                "XDG_STATE_HOME" => state.map(PathBuf::from),
                _ => home.map(PathBuf::from),
            })
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(of(Some("/s"), Some("/h")), path("/s/kaleidoscope/history"));
        assert_eq!(of(Some("relative"), Some("/h")), path("/h/.local/state/kaleidoscope/history"));
        assert_eq!(of(None, Some("/h")), path("/h/.local/state/kaleidoscope/history"));
        assert_eq!(of(None, None), None);
    }
}
