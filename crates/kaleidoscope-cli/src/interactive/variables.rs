//! Variables of the session: `x = 5` at the prompt makes one, and `it` is the last value.

use kaleidoscope::lang::conventions::CONSTANTS;
use kaleidoscope::lang::{is_name, tokens};
use kaleidoscope::{Engine, Variable};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The name of the last value, unless the user has given it to a variable of the session.
const LAST_VALUE: &str = "it";

/// The variables of the session. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    by_name: BTreeMap<String, Variable>,
    last_value: Option<Variable>,
}

/// A variable that a line makes, before its assignment has run.
#[derive(Debug)]
pub(super) struct Declaration {
    name: String,
    /// The variable was that of the last value.
    was_last_value: bool,
    /// A sentence if the name means something else, too.
    pub(super) note: Option<String>,
}

impl Variables {
    /// Makes a variable if the line assigns to a name that none has. The assignment itself runs as
    /// any other item does. If it fails, [`Self::withdraw`] removes the variable again.
    pub(super) fn declare(&self, engine: &Engine, line: &str) -> Option<Declaration> {
        let (name, value) = assignment(line)?;
        let mut state = self.0.borrow_mut();
        let last_value = state.last_value.as_ref().filter(|_| name == LAST_VALUE);
        if last_value.is_none() && engine.variable(name).is_some() {
            return None;
        }
        // A value that would not be read makes no variable, and a restricted language may have no
        // assignment.
        let has_assignment = engine.free_variables("x = 0").is_ok();
        if !has_assignment || !engine.free_variables(value).is_ok_and(|free| free.is_empty()) {
            return None;
        }
        if let Some(variable) = state.last_value.take_if(|_| name == LAST_VALUE) {
            // From here on it is the user's, and keeps its value until then.
            state.by_name.insert(name.to_owned(), variable);
            return Some(Declaration { name: name.to_owned(), was_last_value: true, note: None });
        }
        let note = other_meaning(engine, name);
        let variable = Variable::new(f64::NAN);
        engine.bind(name, &variable).ok()?;
        state.by_name.insert(name.to_owned(), variable);
        Some(Declaration { name: name.to_owned(), was_last_value: false, note })
    }

    /// Undoes a declaration whose assignment failed.
    pub(super) fn withdraw(&self, engine: &Engine, declaration: &Declaration) {
        let mut state = self.0.borrow_mut();
        let variable = state.by_name.remove(&declaration.name);
        if declaration.was_last_value {
            state.last_value = variable;
        } else {
            // An engine that cannot be used reads no name.
            drop(engine.unbind(&declaration.name));
        }
    }

    /// Gives a variable this value, and makes the variable if there is none.
    ///
    /// # Errors
    /// Why there can be no such variable, as a sentence.
    pub(super) fn assign(&self, engine: &Engine, name: &str, value: f64) -> Result<(), String> {
        let mut state = self.0.borrow_mut();
        if let Some(variable) = state.by_name.get(name) {
            variable.set(value);
            return Ok(());
        }
        if let Some(variable) = state.last_value.take_if(|_| name == LAST_VALUE) {
            variable.set(value);
            state.by_name.insert(name.to_owned(), variable);
            return Ok(());
        }
        let variable = engine.variable(name).unwrap_or_else(|| Variable::new(value));
        variable.set(value);
        engine.bind(name, &variable).map_err(|error| error.to_string())?;
        state.by_name.insert(name.to_owned(), variable);
        Ok(())
    }

    /// Notes the value of an expression.
    pub(super) fn set_last_value(&self, engine: &Engine, value: f64) {
        let mut state = self.0.borrow_mut();
        if state.last_value.is_none() && engine.variable(LAST_VALUE).is_none() {
            let variable = Variable::new(value);
            state.last_value = engine.bind(LAST_VALUE, &variable).is_ok().then_some(variable);
        }
        if let Some(variable) = &state.last_value {
            variable.set(value);
        }
    }

    /// Names and values of what the user has assigned, in the order of names.
    pub(super) fn assigned(&self) -> Vec<(String, f64)> {
        let state = self.0.borrow();
        state.by_name.iter().map(|(name, variable)| (name.clone(), variable.get())).collect()
    }

    /// Names and values, in the order of names.
    pub(super) fn values(&self) -> Vec<(String, f64)> {
        let state = self.0.borrow();
        let own = state.by_name.iter().map(|(name, variable)| (name.clone(), variable.get()));
        let last = state.last_value.iter().map(|variable| (LAST_VALUE.to_owned(), variable.get()));
        own.chain(last).collect()
    }
}

/// What else the name of a new variable means, and what becomes of that.
fn other_meaning(engine: &Engine, name: &str) -> Option<String> {
    let is_constant = engine.has_prelude() && CONSTANTS.iter().any(|(known, _)| *known == name);
    if is_constant {
        return Some(format!("the variable `{name}` hides the constant `{name}` of the prelude"));
    }
    engine.function_info(name)?;
    Some(format!("`{name}` is a variable now, too: `{name}(…)` still calls the function"))
}

/// The name and the value of a line that is one assignment to a name.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let tokens = tokens(line, false);
    let [name, equals, value, ..] = &tokens[..] else { return None };
    let text = |span: kaleidoscope::Span| &line[span.range()];
    let is_assignment = is_name(text(name.span)) && text(equals.span) == "=";
    let value = line[value.span.start as usize..].trim_end().trim_end_matches(';');
    is_assignment.then(|| (text(name.span), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_found_by_their_form() {
        assert_eq!(assignment("x = 5"), Some(("x", "5")));
        assert_eq!(assignment("  rate=2*3 ; "), Some(("rate", "2*3 ")));
        assert_eq!(assignment("x == 5"), None);
        assert_eq!(assignment("f(x) = 5"), None);
        assert_eq!(assignment("def = 5"), None);
        assert_eq!(assignment("x ="), None);
    }

    #[test]
    fn the_last_value_belongs_to_the_user_once_assigned() {
        let engine = Engine::new().unwrap();
        let variables = Variables::default();
        variables.set_last_value(&engine, 3.0);
        assert_eq!(engine.run("it + 1;").values().next(), Some(4.0));
        variables.declare(&engine, "it = 10");
        assert_eq!(engine.run("it = 10;").values().next(), Some(10.0));
        variables.set_last_value(&engine, 5.0);
        assert_eq!(engine.run("it;").values().next(), Some(10.0));
    }

    #[test]
    fn a_name_with_another_meaning_is_explained() {
        let engine = Engine::new().unwrap();
        let variables = Variables::default();
        let note_of = |line| variables.declare(&engine, line).and_then(|declaration| declaration.note);
        assert_eq!(note_of("e = 3"), None);
        let note = note_of("sin = 3").unwrap();
        assert_eq!(note, "`sin` is a variable now, too: `sin(…)` still calls the function");
        assert_eq!(engine.run("sin = 2; sin(0) + sin;").values().last(), Some(2.0));
        engine.prelude().unwrap();
        assert!(note_of("tau = 3").unwrap().contains("hides the constant `tau`"));
        assert_eq!(note_of("tau = 4"), None);
        assert_eq!(engine.run("tau = 3; tau;").values().last(), Some(3.0));
    }

    #[test]
    fn variables_are_assigned_by_their_names() {
        let engine = Engine::new().unwrap();
        let variables = Variables::default();
        variables.set_last_value(&engine, 1.0);
        for (name, value) in [("rate", 0.5), ("rate", 0.25), ("it", 7.0)] {
            variables.assign(&engine, name, value).unwrap();
        }
        variables.set_last_value(&engine, 2.0);
        assert_eq!(engine.run("rate + it;").values().next(), Some(7.25));
        assert_eq!(variables.assigned(), [("it".to_owned(), 7.0), ("rate".to_owned(), 0.25)]);
        assert!(variables.assign(&engine, "def", 1.0).is_err());
    }

    #[test]
    fn a_failed_assignment_leaves_no_variable() {
        let engine = Engine::new().unwrap();
        let variables = Variables::default();
        variables.set_last_value(&engine, 3.0);
        for (line, is_known) in [("x = 1", false), ("it = 1", true)] {
            let declaration = variables.declare(&engine, line).unwrap();
            variables.withdraw(&engine, &declaration);
            assert_eq!(engine.variable(&declaration.name).is_some(), is_known, "{line}");
            assert_eq!(variables.assigned(), [], "{line}");
        }
        variables.set_last_value(&engine, 4.0);
        assert_eq!(engine.run("it;").values().next(), Some(4.0));
    }

    #[test]
    fn without_assignment_there_are_no_variables() {
        let engine = Engine::builder().chapter(6).build().unwrap();
        assert!(Variables::default().declare(&engine, "x = 5").is_none());
    }

    #[test]
    fn a_variable_needs_a_value_that_can_be_read() {
        let engine = Engine::new().unwrap();
        let variables = Variables::default();
        for line in ["x = x + 1", "x = y", "x = (", "x = 1; 2"] {
            variables.declare(&engine, line);
            assert!(engine.variable("x").is_none(), "{line}");
        }
        variables.declare(&engine, "x = 2");
        assert_eq!(engine.run("x = 2; x * x;").values().last(), Some(4.0));
    }
}
