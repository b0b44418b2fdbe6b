//! C headers of built libraries.

use super::Export;
use std::fmt::Write as _;

/// The header of the library with this name.
pub(super) fn header(library: &str, exports: &[Export]) -> String {
    let guard: String = library
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' })
        .collect();
    let guard = format!("KALEIDOSCOPE_{guard}_H");
    let mut text = format!(
        "/* Functions that kaleidoscope has compiled. */\n\n#ifndef {guard}\n#define {guard}\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n"
    );
    for Export { name, c_name, parameters } in exports {
        let list = if parameters.is_empty() {
            "void".to_owned()
        } else {
            vec!["double"; parameters.len()].join(", ")
        };
        // The comment has what may be no names in C. It neither ends early nor has another one
        // inside: an operator has no more than two characters, and may be `*/` or `/*`.
        let written = format!("{}({})", name, parameters.join(" "));
        let written = written.replace("*/", "* /").replace("/*", "/ *");
        let _ = writeln!(text, "/* {written} */\ndouble {c_name}({list});\n");
    }
    let _ = write!(text, "#ifdef __cplusplus\n}}\n#endif\n\n#endif\n");
    text
}
