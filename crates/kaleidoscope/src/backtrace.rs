//! Backtraces: the functions in which a call ended, with the places of their definitions.

use std::fmt;
use std::sync::Arc;

/// A line of a program's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    text: Arc<str>,
    line: u32,
}

impl Place {
    pub(crate) fn new(text: Arc<str>, line: u32) -> Self {
        Self { text, line }
    }

    /// The name of the text, for example a file's: see [`Engine::run_named`](crate::Engine::run_named).
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.text, self.line)
    }
}

/// A function that was active when a call ended. From
/// [`CallError::backtrace`](crate::CallError::backtrace).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    function: Arc<str>,
    place: Option<Place>,
}

impl Frame {
    pub(crate) fn new(function: Arc<str>, place: Option<Place>) -> Self {
        Self { function, place }
    }

    /// The function's name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Where the function's definition begins. `None` for functions of the host, and for functions
    /// that were removed meanwhile.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.function)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// Where an evaluation ended: ` in f, called by g, h`; nothing if that is not known.
pub(crate) fn describe(frames: &[Frame]) -> String {
    const MOST: usize = 6;
    let Some((innermost, callers)) = frames.split_first() else { return String::new() };
    let shown: Vec<_> = callers.iter().take(MOST).map(Frame::to_string).collect();
    match shown.is_empty() {
        true => format!(" in {innermost}"),
        false => format!(" in {innermost}, called by {}", shown.join(", ")),
    }
}
