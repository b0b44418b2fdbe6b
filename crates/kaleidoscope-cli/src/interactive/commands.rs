//! The commands of the interactive session, and `:help`.

use super::{Talk, definitions, files, inspect, measure, plot, settings};
use crate::session::Flow;
use kaleidoscope::lang::names::nearest;

/// A command.
struct Command {
    /// The word after `:`.
    name: &'static str,
    /// What follows the word, for `:help`.
    argument: &'static str,
    about: &'static str,
    run: fn(&mut Talk<'_>, &str),
}

/// The command that ends the session. The loop of the session knows it.
const QUIT: &str = "quit";

const COMMANDS: &[Command] = &[
    Command { name: "help", argument: "[COMMAND]", about: "this text, or what a command does", run: help },
    Command {
        name: "list",
        argument: "[NAME]",
        about: "the functions and variables, or the text of a function",
        run: definitions::list,
    },
    Command {
        name: "doc",
        argument: "NAME",
        about: "the comments right above a function's `def`",
        run: definitions::document,
    },
    Command {
        name: "why",
        argument: "NAME",
        about: "what happened to a function, and where its code is inlined",
        run: definitions::why,
    },
    Command {
        name: "undo",
        argument: "[N]",
        about: "undoes the definitions of the last N entries; running code sees it",
        run: definitions::undo,
    },
    Command {
        name: "reset",
        argument: "",
        about: "removes all definitions of the session",
        run: definitions::reset,
    },
    Command { name: "ast", argument: "NAME|TEXT", about: "the syntax tree", run: inspect::ast },
    Command { name: "ir", argument: "NAME|TEXT", about: "the engine's IR", run: inspect::ir },
    Command { name: "llvm", argument: "NAME|TEXT", about: "LLVM IR, optimized", run: inspect::llvm },
    Command { name: "asm", argument: "NAME|TEXT", about: "optimized machine code", run: inspect::asm },
    Command {
        name: "time",
        argument: "EXPRESSION",
        about: "how long reading, the first run and later runs take; prints what the first one prints",
        run: measure::time_expression,
    },
    Command { name: "plot", argument: "EXPRESSION, x = A..B", about: "draws the curve", run: plot::plot },
    Command {
        name: "stats",
        argument: "",
        about: "what was compiled so far, and where the time went",
        run: settings::stats,
    },
    Command {
        name: "events",
        argument: "on|off",
        about: "prints a line for each event: defined, compiled, hot, invalidated",
        run: settings::events,
    },
    Command { name: "load", argument: "FILE", about: "runs a file", run: files::load },
    Command {
        name: "save",
        argument: "FILE",
        about: "writes the functions and variables to a file, for `:load`",
        run: files::save,
    },
    Command {
        name: "edit",
        argument: "[NAME]",
        about: "opens a function or an empty text in $EDITOR, and runs the result",
        run: files::edit,
    },
    Command {
        name: "prelude",
        argument: "",
        about: "defines the usual operators and names: > <= == && pi min while and others",
        run: settings::prelude,
    },
    Command {
        name: "set",
        argument: "[NAME VALUE]",
        about: "changes a setting, or lists them",
        run: settings::set,
    },
    Command { name: QUIT, argument: "", about: "leaves, as Ctrl-D does", run: |_, _| {} },
];

const INTRODUCTION: &str = "\
Type a definition, a declaration or an expression. An incomplete item continues on the next line.
  def square(x) x * x      defines a function (nothing is compiled yet)
  square(7)                calls it (now it is compiled)
  it + 1                   `it` is the last value
  rate = 0.05              makes a variable of the session
  extern sin(x)            declares a function of the maths library
Tab completes, Ctrl-R searches what was typed, Ctrl-C drops the entry or stops what runs.

";

/// A line that is a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call<'t> {
    word: &'t str,
    argument: &'t str,
}

/// The command of a line; `None` if the line is program text, in which `:` is an operator. Nothing
/// can be meant by `:` alone but a command.
pub(super) fn parse(line: &str) -> Option<Call<'_>> {
    let rest = line.trim().strip_prefix(':')?;
    let (word, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_word = (!word.is_empty() || rest.is_empty())
        && word.chars().all(|character| character.is_ascii_alphabetic());
    is_word.then(|| Call { word, argument: argument.trim() })
}

/// The words after `:`.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

pub(super) fn run(talk: &mut Talk<'_>, call: Call<'_>) -> Flow {
    match find(call.word) {
        Some(command) if command.name == QUIT => return Flow::Stop,
        Some(command) => (command.run)(talk, call.argument),
        None => talk.refuse(&unknown(call.word)),
    }
    Flow::Continue
}

/// The command of a word, or of the only word that begins so.
fn find(word: &str) -> Option<&'static Command> {
    if let Some(command) = COMMANDS.iter().find(|command| command.name == word) {
        return Some(command);
    }
    // The first command wins: `:h` is `:help`, `:q` is `:quit`.
    COMMANDS.iter().find(|command| word.len() == 1 && command.name.starts_with(word))
}

fn unknown(word: &str) -> String {
    if word.is_empty() {
        return "`:` begins a command; `:help` lists the commands".to_owned();
    }
    match nearest(word, names()) {
        Some(nearest) => format!("there is no command `:{word}`; there is `:{nearest}`"),
        None => format!("there is no command `:{word}`; `:help` lists the commands"),
    }
}

/// `:help [COMMAND]`
fn help(talk: &mut Talk<'_>, argument: &str) {
    let word = argument.trim_start_matches(':');
    if !word.is_empty() {
        return match find(word) {
            Some(command) => talk.print(&format!("{}\n", usage(command))),
            None => talk.refuse(&unknown(word)),
        };
    }
    let lines: Vec<_> = COMMANDS.iter().map(usage).collect();
    talk.print(&format!("{INTRODUCTION}{}\n", lines.join("\n")));
}

fn usage(command: &Command) -> String {
    let form = format!(":{} {}", command.name, command.argument);
    format!("  {:<27} {}", form.trim_end(), command.about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_begins_with_a_word() {
        assert_eq!(parse("  :list f "), Some(Call { word: "list", argument: "f" }));
        assert_eq!(parse(":q"), Some(Call { word: "q", argument: "" }));
        assert_eq!(parse(" : "), Some(Call { word: "", argument: "" }));
        for text in [": 1", "1 : 2", ":1", "list"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_commands_are_documented() {
        let document = include_str!("../../../../docs/session.md");
        let rows = document.lines().filter(|line| line.starts_with("| `:"));
        let expected = COMMANDS.iter().map(|command| {
            let form = format!(":{} {}", command.name, command.argument.replace('|', "\\|"));
            format!("| `{}` | {} |", form.trim_end(), command.about)
        });
        assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn one_letter_means_the_first_command_that_begins_so() {
        let found = |word| find(word).map(|command| command.name);
        assert_eq!(found("h"), Some("help"));
        assert_eq!(found("q"), Some("quit"));
        assert_eq!(found("l"), Some("list"));
        assert_eq!(found("li"), None);
        assert_eq!(unknown("lits"), "there is no command `:lits`; there is `:list`");
    }
}
