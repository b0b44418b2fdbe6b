//! Generated programs have the same functions in every language and run in the interpreter.

use super::{Language, definitions, first_calls, mixed};
use kaleidoscope::{Engine, Mode};

const LANGUAGES: &[(Language, &str)] = &[
    (Language::Kaleidoscope, "def "),
    (Language::Lua, "function "),
    (Language::JavaScript, "function "),
    (Language::C, "static double "),
];

#[test]
fn programs_have_the_documented_numbers_of_functions() {
    for &(language, keyword) in LANGUAGES {
        let n_functions = |text: &str| text.lines().filter(|line| line.starts_with(keyword)).count();
        assert_eq!(n_functions(&definitions(language)), 1_000, "{language:?}");
        assert_eq!(n_functions(&first_calls(language)), 1_040, "{language:?}");
        assert_eq!(n_functions(&mixed(language, 1.0)), 300, "{language:?}");
    }
}

#[test]
fn the_interpreter_runs_them_without_diagnostics() {
    for make in [definitions, first_calls, |language| mixed(language, 1e-3)] {
        let engine = Engine::builder().mode(Mode::Off).build().unwrap();
        let outcome = engine.run(&make(Language::Kaleidoscope));
        assert_eq!(outcome.diagnostics().count(), 0);
        assert!(outcome.values().last().unwrap().is_finite());
    }
}
