//! One module of several listings: LLVM and assemblers read it as a whole.
//!
//! Each function is compiled as a module of its own, and their listings repeat declarations and
//! numbers. Here, declarations occur once, and the numbers of attributes, metadata and labels
//! differ.

use std::collections::{BTreeMap, BTreeSet};

/// Listings of LLVM IR.
#[derive(Debug, Default)]
pub(super) struct LlvmModule {
    /// The lines in front of everything else.
    head: Vec<String>,
    /// Declarations and variables, by name.
    declarations: BTreeMap<String, String>,
    /// The names of the functions that have a body.
    defined: BTreeSet<String>,
    bodies: String,
    attributes: Vec<String>,
    metadata: String,
    n_metadata: usize,
}

impl LlvmModule {
    /// Adds the listing of a module.
    pub(super) fn add(&mut self, listing: &str) {
        let is_first = self.head.is_empty();
        let attributes: BTreeMap<usize, usize> = listing
            .lines()
            .filter_map(attribute)
            .map(|(number, text)| (number, self.attribute(text)))
            .collect();
        let first_metadata = self.n_metadata;
        let renumber = |line: &str| {
            let line = renumbered(line, " #", |number| attributes.get(&number).copied().unwrap_or(number));
            renumbered(&line, "!", |number| number + first_metadata)
        };
        let mut is_in_body = false;
        for line in listing.lines() {
            if is_in_body || line.starts_with("define ") {
                if let Some(name) = name_of(line).filter(|_| !is_in_body) {
                    self.defined.insert(name.to_owned());
                    self.bodies.push('\n');
                }
                self.bodies.push_str(&(renumber(line) + "\n"));
                is_in_body = line != "}";
            } else if line.starts_with("target ") {
                self.head.extend(is_first.then(|| line.to_owned()));
            } else if line.starts_with("declare ") || line.starts_with('@') {
                let name = name_of(line).unwrap_or(line).to_owned();
                self.declarations.entry(name).or_insert_with(|| renumber(line));
            } else if line.starts_with('!') {
                // The flags of a module have a name, and are those of all modules.
                let is_numbered = line.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
                self.n_metadata += usize::from(is_numbered);
                if is_numbered || is_first {
                    self.metadata.push_str(&(renumber(line) + "\n"));
                }
            }
        }
    }

    /// The number of these attributes.
    fn attribute(&mut self, text: &str) -> usize {
        self.attributes.iter().position(|known| known == text).unwrap_or_else(|| {
            self.attributes.push(text.to_owned());
            self.attributes.len() - 1
        })
    }

    /// The module. Empty if nothing was added.
    pub(super) fn finish(self) -> String {
        let declarations = self.declarations.iter().filter(|(name, _)| !self.defined.contains(*name));
        let declarations: Vec<_> = declarations.map(|(_, line)| line.clone()).collect();
        let attributes = self.attributes.iter().enumerate();
        let attributes: Vec<_> =
            attributes.map(|(number, text)| format!("attributes #{number} = {text}")).collect();
        let parts = [
            self.head.join("\n"),
            declarations.join("\n"),
            self.bodies.trim().to_owned(),
            attributes.join("\n"),
            self.metadata.trim().to_owned(),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { String::new() } else { parts.join("\n\n") + "\n" }
    }
}

/// The number and the text of a line that defines attributes.
fn attribute(line: &str) -> Option<(usize, &str)> {
    let (number, text) = line.strip_prefix("attributes #")?.split_once(" = ")?;
    Some((number.parse().ok()?, text))
}

/// The first global name of a line, with its quotes.
fn name_of(line: &str) -> Option<&str> {
    let name = &line[line.find('@')?..];
    match name[1..].strip_prefix('"') {
        Some(quoted) => name.get(..quoted.find('"')? + 3),
        None => name.split(['(', ' ']).next(),
    }
}

/// The line with each number behind the sign replaced. What is in quotes is a name.
fn renumbered(line: &str, sign: &str, new: impl Fn(usize) -> usize) -> String {
    let mut text = String::with_capacity(line.len());
    for (index, part) in line.split('"').enumerate() {
        if index > 0 {
            text.push('"');
        }
        if index % 2 == 1 {
            text.push_str(part);
            continue;
        }
        let mut rest = part;
        while let Some(at) = rest.find(sign) {
            let (before, behind) = rest.split_at(at + sign.len());
            text.push_str(before);
            let n_digits = behind.bytes().take_while(u8::is_ascii_digit).count();
            match behind[..n_digits].parse() {
                Ok(number) => text.push_str(&new(number).to_string()),
                Err(_) => text.push_str(&behind[..n_digits]),
            }
            rest = &behind[n_digits..];
        }
        text.push_str(rest);
    }
    text
}

/// The assembly of a module whose labels differ from those of modules with other numbers. Labels of
/// the compiler begin with `.L`, which no name of a program contains.
///
/// The GNU assembler does not read a relocation such as `@GOTPCREL` behind a name with `@`, also if
/// the name is in quotes. There, `@` is spelled `(at)`, which no name of a program contains.
pub(super) fn with_labels_of(listing: &str, number: usize) -> String {
    let listing = listing.replace(".L", &format!(".L{number}_"));
    let parts = listing.split('"').enumerate();
    let parts: Vec<_> = parts
        .map(|(index, part)| if index % 2 == 1 { part.replace('@', "(at)") } else { part.to_owned() })
        .collect();
    parts.join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_assembly_have_no_at_sign() {
        let listing = ".type\t\"binary@\",@function\n.L0:\n\tcall\t\"binary@\"@PLT\n";
        let expected = ".type\t\"binary(at)\",@function\n.L3_0:\n\tcall\t\"binary(at)\"@PLT\n";
        assert_eq!(with_labels_of(listing, 3), expected);
    }

    #[test]
    fn modules_share_declarations_and_have_numbers_of_their_own() {
        let mut module = LlvmModule::default();
        module.add(
            "; ModuleID = 'f'\ntarget triple = \"x\"\n\n@\"g$slot\" = external global ptr\n\n\
             define double @f() #0 {\n  call void @h() #1, !x !0\n}\n\ndeclare void @h() #1\n\n\
             attributes #0 = { a }\nattributes #1 = { b }\n!flags = !{!0}\n!0 = !{}\n",
        );
        module.add(
            "target triple = \"x\"\n@\"g$slot\" = external global ptr\ndefine void @h() #0 {\n  ret void, !x !0\n}\n\
             define double @\"binary!1\"() #1 {\n}\nattributes #0 = { b }\nattributes #1 = { c }\n\
             !flags = !{!0}\n!0 = !{i32 7}\n",
        );
        assert_eq!(
            module.finish(),
            "target triple = \"x\"\n\n@\"g$slot\" = external global ptr\n\n\
             define double @f() #0 {\n  call void @h() #1, !x !0\n}\n\n\
             define void @h() #1 {\n  ret void, !x !1\n}\n\ndefine double @\"binary!1\"() #2 {\n}\n\n\
             attributes #0 = { a }\nattributes #1 = { b }\nattributes #2 = { c }\n\n\
             !flags = !{!0}\n!0 = !{}\n!1 = !{i32 7}\n"
        );
    }
}
