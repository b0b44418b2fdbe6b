//! Scopes: the addresses at which each variable is in scope.

use kaleidoscope_ir::{Local, SourcePosition, SourcePositions};

use super::pieces;
use crate::machine_code::CodeLayout;

/// A scope with one variable.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) variable: Local,
    pub(super) position: SourcePosition,
    /// Ranges of offsets. Branches may be behind the function, so there can be several.
    pub(super) ranges: Vec<(usize, usize)>,
    /// How many scopes are around it.
    pub(super) depth: usize,
}

/// The most scopes that are described: each looks at all code.
const MAX_SCOPES: usize = 1000;

/// The scopes that have code, outer ones first.
pub(super) fn scopes(layout: &CodeLayout, positions: &SourcePositions) -> Vec<Scope> {
    let mut found: Vec<Scope> = Vec::new();
    let mut open = Vec::new();
    for scope in positions.scopes.iter().take(MAX_SCOPES) {
        while open.last().is_some_and(|end| *end <= scope.begin) {
            open.pop();
        }
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (begin, end, op) in pieces(layout) {
            if op < scope.begin || op >= scope.end {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.1 == begin => last.1 = end,
                _ => ranges.push((begin, end)),
            }
        }
        if ranges.is_empty() {
            continue;
        }
        found.push(Scope { variable: scope.variable, position: scope.position, ranges, depth: open.len() });
        open.push(scope.end);
    }
    found
}
