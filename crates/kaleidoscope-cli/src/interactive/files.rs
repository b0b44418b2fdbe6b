//! `:load`, `:save` and `:edit`.

use super::Talk;
use crate::input::Input;
use crate::parameters::Parameter;
use kaleidoscope::Origin;
use kaleidoscope::lang::number;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How a line begins that is a variable in a saved text: a comment for all but `:load`, and the
/// option that gives the variable to a script.
const VARIABLE: &str = "# variable: --arg ";

/// `:load FILE`
pub(super) fn load(talk: &mut Talk<'_>, argument: &str) {
    if argument.is_empty() {
        return talk.refuse("`:load` takes a file");
    }
    // What cannot be read is no mistake in the command line of the session.
    if let Err(refusal) = Input::of_path(Path::new(argument)).open() {
        return talk.refuse(&refusal.message);
    }
    if let Ok(text) = fs::read_to_string(argument) {
        load_variables(talk, &text);
    }
    talk.run_file(Path::new(argument));
}

/// Makes the variables at the start of a saved text.
fn load_variables(talk: &Talk<'_>, text: &str) {
    for line in text.lines().map_while(|line| line.strip_prefix(VARIABLE)) {
        let assigned = line
            .parse::<Parameter>()
            .and_then(|Parameter { name, value }| talk.variables.assign(&talk.session.engine, &name, value));
        if let Err(message) = assigned {
            talk.refuse(&message);
        }
    }
}

/// `:save FILE`
pub(super) fn save(talk: &mut Talk<'_>, argument: &str) {
    if argument.is_empty() {
        return talk.refuse("`:save` takes a file");
    }
    let mut text = String::new();
    for (name, value) in talk.variables.assigned() {
        text.push_str(&format!("{VARIABLE}{name}={}\n", number::format(value)));
    }
    if !text.is_empty() {
        // Otherwise the variables would be documentation.
        text.push('\n');
    }
    // An operator must be defined before the text that uses it: the order is that of definition.
    for name in talk.observers.life.defined() {
        let Some(info) = talk.session.engine.function_info(&name) else { continue };
        let Origin::Program { source, .. } = info.origin else { continue };
        text.push_str(&comments(talk, &name));
        text.push_str(&format!("{};\n\n", source.trim_end()));
    }
    match fs::write(argument, text.trim_end().to_owned() + "\n") {
        Ok(()) => talk.print(&format!("the functions and variables of the session are in {argument}\n")),
        Err(error) => talk.refuse(&format!("cannot write {argument}: {error}")),
    }
}

/// The documentation of a function as comments.
fn comments(talk: &Talk<'_>, name: &str) -> String {
    let lines = talk.documentation.of(name).into_iter().flat_map(str::lines);
    lines.map(|line| format!("{}\n", format!("# {line}").trim_end())).collect()
}

/// `:edit [NAME]`
pub(super) fn edit(talk: &mut Talk<'_>, name: &str) {
    let mut text = String::new();
    if !name.is_empty() {
        let Some(info) = super::definitions::known(talk, name) else { return };
        let Origin::Program { source, .. } = info.origin else {
            return talk.refuse(&format!("`{name}` has no text: it is not of the program"));
        };
        text = format!("{}{source}\n", comments(talk, name));
    }
    let file = match tempfile::Builder::new().prefix("kaleidoscope-").suffix(".kal").tempfile() {
        Ok(file) => file,
        Err(error) => return talk.refuse(&format!("there is no temporary file: {error}")),
    };
    if let Err(error) = fs::write(file.path(), &text) {
        return talk.refuse(&format!("cannot write {}: {error}", file.path().display()));
    }
    let editor = env::var("VISUAL").or_else(|_| env::var("EDITOR")).unwrap_or_else(|_| "vi".to_owned());
    // The variable may have arguments behind the program.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    match Command::new(program).args(words).arg(file.path()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => return talk.refuse(&format!("the editor `{editor}` ended with {status}")),
        Err(error) => return talk.refuse(&format!("the editor `{editor}` cannot be started: {error}")),
    }
    if fs::read_to_string(file.path()).is_ok_and(|edited| edited == text) {
        return talk.print("nothing was changed\n");
    }
    talk.run_file(file.path());
}

impl Talk<'_> {
    fn run_file(&mut self, path: &Path) {
        let Self { session, documentation, variables, .. } = self;
        let engine = session.engine.clone();
        session.run_inputs_with(&[Input::of_path(path)], |source, outcome| {
            documentation.note(source, outcome, engine.has_prelude());
            if let Some(value) = outcome.value {
                variables.set_last_value(&engine, value);
            }
        });
    }
}
