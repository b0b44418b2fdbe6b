//! The manual page.

use crate::args::Invocation;
use clap::builder::ValueRange;
use clap::{Arg, Command};
use clap_mangen::Man;
use std::io;

/// Writes the manual page.
///
/// # Errors
/// The writer's.
pub(crate) fn render(text: &mut Vec<u8>) -> io::Result<()> {
    let mut description = Invocation::description();
    description.build();
    // The generator's own synopsis leaves the names of values out.
    let synopsis = synopsis(&description);
    Man::new(description.override_usage(synopsis)).render(text)
}

/// Every option with the names of its values, and what follows the options.
fn synopsis(command: &Command) -> String {
    let arguments = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let options = arguments().filter(|argument| !argument.is_positional()).map(option);
    let positionals = arguments().filter(|argument| argument.is_positional()).map(positional);
    let words: Vec<_> = options.chain(positionals).collect();
    let name = command.get_name();
    format!("{name} {}\n{name} COMMAND [ARGUMENT]...", words.join(" "))
}

/// `[-q|--quiet]`, `[--jit MODE]`, `[--stats[=FORMAT]]`
fn option(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let values = argument.get_num_args().filter(ValueRange::takes_values).map(|values| {
        let name = value_name(argument);
        match (values.min_values(), argument.is_require_equals_set()) {
            (0, _) => format!("[={name}]"),
            (_, true) => format!("={name}"),
            (_, false) => format!(" {name}"),
        }
    });
    format!("[{}{}]", names.join("|"), values.unwrap_or_default())
}

/// `[FILE]...`, `[-- NUMBER...]`
fn positional(argument: &Arg) -> String {
    let name = value_name(argument);
    if argument.is_last_set() { format!("[-- {name}...]") } else { format!("[{name}]...") }
}

fn value_name(argument: &Arg) -> String {
    argument.get_value_names().unwrap_or_default().join(" ")
}
