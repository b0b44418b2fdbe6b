//! What names a processor, and where that is allowed.

use crate::tidy::Source;

fn n_complaints(path: &str, text: &str) -> usize {
    super::check(&[Source::new(path, text)]).len()
}

#[test]
fn processors_are_named_in_arch_folders_only() {
    for line in [
        "asm!(\"nop\");",
        "let target = \"x86_64-unknown-linux-gnu\";",
        "if is_x86_feature_detected!(\"fma\") {}",
        "fn save_xmm0() {}",
        "let frame = context.rsp;",
        "#[cfg(target_arch = \"wasm32\")]",
    ] {
        assert_eq!(n_complaints("crates/a/src/b.rs", line), 1, "{line}");
        assert_eq!(n_complaints("crates/a/src/arch/x86_64/b.rs", line), 0, "{line}");
        assert_eq!(n_complaints("crates/a/src/b/tests.rs", line), 0, "{line}");
    }
    for line in ["// The register rsp.", "let rest = assembly;", "let classes = passes;"] {
        assert_eq!(n_complaints("crates/a/src/b.rs", line), 0, "{line}");
    }
}
