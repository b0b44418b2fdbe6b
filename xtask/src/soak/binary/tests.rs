//! What cargo says about test binaries.

use serde_json::json;

use super::of_message;

#[test]
fn test_binaries_have_a_name() {
    let message = |kind: &str, is_test: bool| {
        json!({
            "reason": "compiler-artifact", "manifest_path": "/p/crates/kaleidoscope-cli/Cargo.toml",
            "executable": "/p/target/debug/deps/it-1", "profile": { "test": is_test },
            "target": { "name": "it", "kind": [kind] },
        })
    };
    let name = |kind, is_test| of_message(&message(kind, is_test)).map(|binary| binary.name);
    assert_eq!(name("test", true).as_deref(), Some("kaleidoscope-cli: it"));
    assert_eq!(name("lib", true).as_deref(), Some("kaleidoscope-cli: unit tests"));
    assert_eq!(name("bin", false), None);
}
