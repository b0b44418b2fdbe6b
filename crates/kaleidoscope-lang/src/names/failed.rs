//! Definitions that failed: calls of them name the mistake that is their cause.
//!
//! Only hints need this. So the memory is bounded, and a search may take its time: it happens only
//! when a mistake is reported.

use super::Names;
use crate::item::Read;
use crate::lexer::tokens;
use crate::operator::{Sign, binary_name, unary_name};
use crate::token::{Keyword, TokenKind};
use std::sync::Arc;

/// The most failed definitions that are remembered: more than a person mends at a time.
const MAX_FAILED: usize = 256;

/// A definition or declaration that failed.
#[derive(Clone, Debug)]
pub(super) struct FailedDefinition {
    pub(super) name: String,
    /// `its definition at a.kal:3 failed`
    description: Arc<str>,
}

impl Names {
    /// Notes that an item failed. If the item is a definition or a declaration, mistakes about its
    /// name say so. `text` is the item, and `place` says where it begins, such as `a.kal:3`.
    pub fn note_failure(&mut self, read: &Read, text: &str, place: impl FnOnce() -> String) {
        if read.item.is_some() {
            return;
        }
        let Some((keyword, name)) = declared_name(text, self.has_conventions()) else { return };
        self.failed.retain(|failed| failed.name != name);
        if self.failed.len() == MAX_FAILED {
            self.failed.remove(0);
        }
        let noun = if keyword == Keyword::Def { "definition" } else { "declaration" };
        let description = format!("its {noun} at {} failed", place()).into();
        self.failed.push(FailedDefinition { name, description });
    }

    /// `its definition at a.kal:3 failed`, if the last definition of this name did.
    pub fn failure(&self, name: &str) -> Option<&Arc<str>> {
        self.failed.iter().find(|failed| failed.name == name).map(|failed| &failed.description)
    }
}

/// The name that a definition or declaration gives a meaning to, also if the item has mistakes; of
/// operators `unary!` or `binary|`. `has_conventions`: whether the words of the prelude are
/// keywords.
pub fn declared_name(item: &str, has_conventions: bool) -> Option<(Keyword, String)> {
    let tokens = tokens(item, has_conventions);
    let [first, second, rest @ ..] = &tokens[..] else { return None };
    let TokenKind::Keyword(keyword @ (Keyword::Def | Keyword::Extern)) = first.kind else { return None };
    let sign = || Sign::new(&item[rest.first()?.span.range()]);
    let name = match second.kind {
        TokenKind::Identifier => item[second.span.range()].to_owned(),
        TokenKind::Keyword(Keyword::Unary) => unary_name(sign()?),
        TokenKind::Keyword(Keyword::Binary) => binary_name(sign()?),
        _ => return None,
    };
    Some((keyword, name))
}
