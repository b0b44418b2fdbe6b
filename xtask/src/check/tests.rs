//! The arguments of `./check`, and the table of parts.

use super::Selection;
use super::parts::{Action, CORE, PARTS};

#[test]
fn arguments() {
    let all: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    assert_eq!(Selection::parse(&[]), Ok(Selection::Parts(vec![CORE])));
    assert_eq!(Selection::parse(&["list"]), Ok(Selection::List));
    assert_eq!(Selection::parse(&["all"]), Ok(Selection::Parts(all)));
    assert_eq!(Selection::parse(&["fuzz", "c"]), Ok(Selection::Parts(vec!["c", "fuzz"])));
    assert!(Selection::parse(&["c", "nonsense"]).is_err());
}

#[test]
fn parts_have_names_steps_and_programs() {
    for (idx, part) in PARTS.iter().enumerate() {
        assert!(!["all", "list", "soak"].contains(&part.name), "{} is a command of `./check`", part.name);
        assert!(PARTS[..idx].iter().all(|other| other.name != part.name), "{} twice", part.name);
        assert!(!part.steps.is_empty(), "{}", part.name);
    }
}

#[test]
fn only_the_part_c_builds_the_c_library() {
    for part in PARTS.iter().filter(|part| part.name != "c") {
        for step in part.steps {
            let (Action::Cargo(arguments) | Action::CargoWith(arguments, _)) = step.action else { continue };
            let runs_tests = arguments.starts_with("test ") && arguments.contains("--workspace");
            assert!(!runs_tests || arguments.contains("--exclude kaleidoscope-capi"), "{}", step.name);
        }
    }
}
