//! Arrows that are allowed and arrows that are not.

use serde_json::json;

fn complaints(name: &str, needed: &[&str]) -> usize {
    let dependencies: Vec<_> = needed.iter().map(|name| json!({ "name": name })).collect();
    super::check(&json!({ "packages": [{ "name": name, "dependencies": dependencies }] })).len()
}

#[test]
fn arrows() {
    assert_eq!(complaints("kaleidoscope-lang", &["stacker"]), 0);
    assert_eq!(complaints("kaleidoscope-llvm", &["kaleidoscope-ir", "inkwell"]), 0);
    assert_eq!(complaints("kaleidoscope-tests", &["kaleidoscope", "kaleidoscope-lang"]), 0);

    assert_eq!(complaints("kaleidoscope-lang", &["llvm-sys"]), 1, "the language knows no LLVM");
    assert_eq!(complaints("kaleidoscope-native", &["kaleidoscope-lang"]), 1, "the machine knows no language");
    assert_eq!(complaints("kaleidoscope-llvm", &["llvm-orc"]), 0);
    assert_eq!(complaints("kaleidoscope-llvm", &["kaleidoscope-jit"]), 1, "code generators know no engine");
    assert_eq!(complaints("kaleidoscope-jit", &["kaleidoscope-lang"]), 1, "the engine knows no language");
    assert_eq!(complaints("llvm-orc", &["kaleidoscope-native", "kaleidoscope"]), 2);
    assert_eq!(complaints("kaleidoscope", &["kaleidoscope-tests"]), 1, "no crate depends on a leaf");
    assert_eq!(complaints("kaleidoscope", &["test-process"]), 1, "a dependency beyond tests");
    assert_eq!(complaints("kaleidoscope-extra", &[]), 1, "a crate outside the table");
}
