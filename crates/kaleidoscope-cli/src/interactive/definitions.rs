//! Commands about definitions: which there are, why they have their code, and undoing them.

use super::Talk;
use super::life::{Life, time};
use kaleidoscope::lang::number;
use kaleidoscope::{Engine, FunctionInfo, Origin, Snapshot};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many entries can be undone. Each keeps the definitions of all functions.
const MOST_STEPS: usize = 100;

/// What `:undo` and `:reset` go back to.
#[derive(Debug)]
pub(super) struct UndoSteps {
    start: Snapshot,
    steps: VecDeque<Step>,
}

/// What was before an entry that changed definitions.
#[derive(Debug)]
struct Step {
    before: Snapshot,
    /// The functions that the entry defined.
    defined: Vec<Arc<str>>,
}

/// What was before an entry that may change definitions.
pub(super) struct Before {
    snapshot: Snapshot,
    n_definitions: usize,
}

impl UndoSteps {
    pub(super) fn new(engine: &Engine) -> Self {
        Self { start: engine.snapshot(), steps: VecDeque::new() }
    }

    /// Notes what is before an entry, if the entry may change definitions.
    pub(super) fn begin(&self, engine: &Engine, life: &Life, text: &str) -> Option<Before> {
        let may_define = ["def", ":l", ":e", ":p"].iter().any(|word| text.contains(word));
        may_define.then(|| Before { snapshot: engine.snapshot(), n_definitions: life.n_definitions() })
    }

    /// Notes that an entry has ended. An entry that changed no definition is no step.
    pub(super) fn end(&mut self, before: Option<Before>, life: &Life) {
        let Some(Before { snapshot, n_definitions }) = before else { return };
        let n_new = life.n_definitions().saturating_sub(n_definitions);
        if n_new == 0 {
            return;
        }
        self.push(Step { before: snapshot, defined: life.last_defined(n_new) });
    }

    fn push(&mut self, step: Step) {
        if self.steps.len() == MOST_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }
}

/// `:undo [N]`
pub(super) fn undo(talk: &mut Talk<'_>, argument: &str) {
    let Ok(n) = (if argument.is_empty() { Ok(1) } else { argument.parse::<usize>() }) else {
        return talk.refuse("`:undo` takes the number of entries");
    };
    let steps = &mut talk.undo_steps.steps;
    let first = steps.len().saturating_sub(n);
    let mut undone: Vec<_> = steps.drain(first..).collect();
    let Some(oldest) = undone.first() else {
        return talk.refuse("there is no definition to undo");
    };
    if let Err(error) = talk.session.engine.restore(&oldest.before) {
        return talk.refuse(&error.to_string());
    }
    let mut names: Vec<_> = undone.drain(..).flat_map(|step| step.defined).collect();
    names.sort();
    names.dedup();
    let names: Vec<_> = names.iter().map(|name| description_after_undo(&talk.session.engine, name)).collect();
    talk.print(&format!("undid {}\n", names.join(", ")));
}

/// The name, and whether it is still defined.
fn description_after_undo(engine: &Engine, name: &str) -> String {
    match engine.function_info(name) {
        Some(_) => format!("`{name}` (as before)"),
        None => format!("`{name}` (not defined any more)"),
    }
}

/// `:reset`
pub(super) fn reset(talk: &mut Talk<'_>, _: &str) {
    let engine = &talk.session.engine;
    let is_of_program = |info: &FunctionInfo| matches!(info.origin, Origin::Program { .. });
    let defined = engine.functions().into_iter().filter(is_of_program).map(|info| info.name).collect();
    let before = engine.snapshot();
    match engine.restore(&talk.undo_steps.start) {
        Ok(()) => {
            talk.undo_steps.push(Step { before, defined });
            talk.print("all definitions of the session are gone; its variables stay\n");
        }
        Err(error) => talk.refuse(&error.to_string()),
    }
}

/// `:list [NAME]`
pub(super) fn list(talk: &mut Talk<'_>, name: &str) {
    if name.is_empty() {
        return list_all(talk);
    }
    let Some(info) = known(talk, name) else { return };
    let head = format!("{}: {}", signature(&info), origin(talk, &info));
    let source = match &info.origin {
        Origin::Program { source, .. } => format!("{source}\n"),
        _ => String::new(),
    };
    talk.print(&format!("{head}\n{source}"));
}

fn list_all(talk: &Talk<'_>) {
    let mut text = String::new();
    for info in talk.session.engine.functions() {
        if matches!(info.origin, Origin::Program { .. }) {
            text.push_str(&format!("  {:<24}  {}\n", signature(&info), origin(talk, &info)));
        }
    }
    for (name, value) in talk.variables.values() {
        text.push_str(&format!("  {name:<24}  = {}\n", number::format(value)));
    }
    if text.is_empty() {
        text.push_str("nothing is defined yet; `def square(x) x * x` defines a function\n");
    }
    talk.print(&text);
}

/// `:doc NAME`
pub(super) fn document(talk: &mut Talk<'_>, name: &str) {
    let Some(info) = known(talk, name) else { return };
    let text = match &info.origin {
        Origin::Program { .. } => match talk.documentation.of(name) {
            Some(text) => text.to_owned(),
            None => "it has no documentation: comments right above its `def` are that".to_owned(),
        },
        _ => origin(talk, &info),
    };
    talk.print(&format!("{}\n{text}\n", signature(&info)));
}

/// `:why NAME`
pub(super) fn why(talk: &mut Talk<'_>, name: &str) {
    let Some(info) = known(talk, name) else { return };
    let life = &talk.observers.life;
    let mut text = format!("{}: {}\n", signature(&info), origin(talk, &info));
    for (since, line) in life.story(name) {
        text.push_str(&format!("  {:>8} ago  {line}\n", time(since)));
    }
    let callers = life.inlined_into(name);
    if !callers.is_empty() {
        text.push_str(&format!("  inlined into {}\n", callers.join(", ")));
    }
    talk.print(&text);
}

/// The function of this name. Reports if there is none.
pub(super) fn known(talk: &Talk<'_>, name: &str) -> Option<FunctionInfo> {
    if name.is_empty() {
        talk.refuse("this command takes the name of a function");
        return None;
    }
    let info = talk.session.engine.function_info(name);
    if info.is_none() {
        let functions = talk.session.engine.functions();
        let nearest = kaleidoscope::lang::names::nearest(name, functions.iter().map(|known| &*known.name));
        let hint = nearest.map_or(String::new(), |nearest| format!("; there is one named `{nearest}`"));
        talk.refuse(&format!("there is no function `{name}`{hint}"));
    }
    info
}

/// The name with the parameters.
pub(super) fn signature(info: &FunctionInfo) -> String {
    format!("{}({})", info.name, parameters(info).join(", "))
}

/// The names of the parameters, invented ones where a function has none.
pub(super) fn parameters(info: &FunctionInfo) -> Vec<String> {
    match &info.origin {
        Origin::Program { parameters, .. } => parameters.iter().map(ToString::to_string).collect(),
        _ => ["x", "y", "z"].iter().cycle().take(info.arity).map(|&name| name.to_owned()).collect(),
    }
}

fn origin(talk: &Talk<'_>, info: &FunctionInfo) -> String {
    match info.origin {
        Origin::Program { version, .. } => {
            format!("version {version}, {}", talk.observers.life.tier(&info.name))
        }
        Origin::Maths => "of C's maths library".to_owned(),
        Origin::Host => "of the host".to_owned(),
        _ => "declared; the host does not provide it".to_owned(),
    }
}
