//! The interactive session: a prompt, a continuation prompt, values, and a few commands.

use crate::session::{Flow, Session};
use kaleidoscope::Script;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

const PROMPT: &str = "ready> ";
/// The prompt while an item is incomplete.
const CONTINUATION_PROMPT: &str = "  ...> ";

const HELP: &str = "\
Type a definition, a declaration or an expression. An incomplete item continues on the next line.
  def square(x) x * x      defines a function (nothing is compiled yet)
  square(7)                calls it (now it is compiled)
  extern sin(x)            declares a function of the maths library
  :help                    this text
  :quit                    leaves (so does the end of input, Ctrl-D)
Ctrl-C drops the item that is being typed.
";

/// Runs the interactive session until the end of input.
pub(crate) fn talk(session: &mut Session) {
    let mut editor = match DefaultEditor::new() {
        Ok(editor) => editor,
        Err(error) => return session.fail(&format!("the terminal cannot be used: {error}")),
    };
    let mut script = session.engine.script("<terminal>");
    loop {
        let prompt = if script.is_pending() { CONTINUATION_PROMPT } else { PROMPT };
        // The console remembers a failure; the next write returns it.
        drop(session.console.end_line());
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                script.abandon();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return session.fail(&format!("the terminal cannot be read: {error}")),
        };
        if !line.trim().is_empty() {
            // The session works without a history.
            drop(editor.add_history_entry(&line));
        }
        match line.trim() {
            ":quit" | ":q" if !script.is_pending() => break,
            ":help" | ":h" if !script.is_pending() => drop(session.console.print(HELP)),
            command if command.starts_with(':') && !script.is_pending() && is_word(&command[1..]) => {
                session
                    .reporter
                    .failure(&format!("there is no command `{command}`; `:help` lists the commands"));
            }
            _ => {
                script.push(&line);
                script.push("\n");
                let keep_going = session.keeps_going(true);
                if session.run_items(&mut script, Script::run_next_line, keep_going) == Flow::Stop {
                    return;
                }
            }
        }
    }
}

/// Whether this is the name of a command. `:` alone is an operator.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphabetic())
}
