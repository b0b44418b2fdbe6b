//! The interactive session: entries at a prompt, their values, and commands.
//!
//! [`prompt`] reads an entry, and [`assistant`] helps while it is typed. [`commands`] lists the
//! commands; each has its function in the file about its subject. [`life`] remembers what happened
//! to each function.

mod assistant;
mod commands;
mod definitions;
mod documentation;
mod files;
mod inspect;
mod life;
mod measure;
mod plot;
mod prompt;
mod settings;
mod variables;

pub(crate) use life::Life;

use crate::session::{Flow, Session};
use definitions::UndoSteps;
use documentation::Documentation;
use kaleidoscope::{Script, Statistics};
use prompt::{Entry, Prompt};
use variables::{Declaration, Variables};

/// The name of the text that is typed, in diagnostics.
const NAME: &str = "<terminal>";

/// What the session greets with.
const GREETING: &str = "Kaleidoscope. `:help` lists the commands, Ctrl-D leaves.\n";

/// What observes the engine of an interactive session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers {
    pub(crate) life: Life,
    pub(crate) statistics: Statistics,
}

/// Runs the interactive session until the end of input.
pub(crate) fn talk(session: &mut Session, observers: Observers) {
    let variables = Variables::default();
    let mut prompt = match Prompt::open(session.engine.clone(), variables.clone()) {
        Ok(prompt) => prompt,
        Err(message) => return session.fail(&message),
    };
    observers.life.print_with(prompt.printer(session.console.progress().clone()));
    let script = session.engine.script(NAME);
    let undo_steps = UndoSteps::new(&session.engine);
    let documentation = Documentation::default();
    let mut talk = Talk { session, script, observers, undo_steps, documentation, variables };
    // The console remembers a failure; the next write returns it.
    drop(talk.session.console.print(GREETING));
    loop {
        drop(talk.session.console.end_line());
        match prompt.read() {
            Entry::Text(text) => {
                if talk.run_entry(&text) == Flow::Stop {
                    return;
                }
            }
            Entry::GivenUp => {}
            Entry::End => return,
            Entry::Failed(message) => return talk.session.fail(&message),
        }
    }
}

/// A session with what only the interactive one has.
struct Talk<'s> {
    session: &'s mut Session,
    /// What was typed so far.
    script: Script,
    observers: Observers,
    undo_steps: UndoSteps,
    documentation: Documentation,
    variables: Variables,
}

impl Talk<'_> {
    /// Runs the lines of an entry, as if each was typed alone: a pasted text has several.
    fn run_entry(&mut self, text: &str) -> Flow {
        let before = self.undo_steps.begin(&self.session.engine, &self.observers.life, text);
        let flow = self.run_lines(text);
        self.undo_steps.end(before, &self.observers.life);
        // The validator of the prompt takes no unfinished entry, but a terminal may have none.
        self.script.abandon();
        flow
    }

    fn run_lines(&mut self, text: &str) -> Flow {
        for line in text.lines() {
            let is_between_items = !self.script.is_pending();
            let flow = match commands::parse(line) {
                Some(command) if is_between_items => commands::run(self, command),
                _ => {
                    let declared =
                        is_between_items.then(|| self.variables.declare(&self.session.engine, line));
                    self.script.push(line);
                    self.script.push("\n");
                    self.run_typed(declared.flatten())
                }
            };
            if flow == Flow::Stop {
                return flow;
            }
        }
        Flow::Continue
    }

    /// Runs the items that are complete. If there is a declaration, the item is its assignment.
    fn run_typed(&mut self, declared: Option<Declaration>) -> Flow {
        let keep_going = self.session.keeps_going(true);
        let Self { session, script, documentation, variables, .. } = self;
        let engine = session.engine.clone();
        let mut has_value = false;
        let next = |script: &mut Script| {
            let outcome = script.run_next_line()?;
            documentation.note(&script.source(), &outcome, engine.has_prelude());
            if let Some(value) = outcome.value {
                has_value = true;
                variables.set_last_value(&engine, value);
            }
            Some(outcome)
        };
        let flow = session.run_items(script, next, keep_going);
        match declared {
            Some(Declaration { note: Some(note), .. }) if has_value => self.print(&format!("{note}\n")),
            Some(declaration) if !has_value => variables.withdraw(&engine, &declaration),
            _ => {}
        }
        flow
    }

    /// Prints the text of a command. Control characters of a program do not reach the terminal.
    fn print(&self, text: &str) {
        // The console remembers a failure; the next write returns it.
        drop(self.session.console.print(&printable(text)));
    }

    /// Reports why a command did nothing.
    fn refuse(&self, message: &str) {
        self.session.reporter.failure(&printable(message));
    }
}

/// The text with control characters spelled out, except for the ends of lines and tabs.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            _ if character.is_control() => printable.extend(character.escape_default()),
            _ => printable.push(character),
        }
    }
    printable
}
