//! What is to be said of a text, as plain values for C.

use std::ffi::{CStr, CString, c_char};
use std::mem::size_of;
use std::ptr;
use std::sync::OnceLock;

use kaleidoscope::{Color, Diagnostic, Severity, Source, render};

use crate::entry::c_text;
use crate::error::kls_status;

/// How bad a diagnostic is.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_severity {
    /// The item, or its evaluation, has failed.
    KLS_ERROR = 0,
    /// The item is taken as it stands, but it may not be what was meant.
    KLS_WARNING = 1,
}

/// A mistake in a program. The texts belong to what it was asked of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kls_diagnostic {
    /// `sizeof (kls_diagnostic)`, set by the host: later versions of this library may know more.
    pub struct_size: usize,
    /// What kind of mistake, as a stable code: "KLS2001", say.
    pub code: *const c_char,
    /// One sentence, lower case, without the final dot.
    pub message: *const c_char,
    /// What to do about it; `NULL` where that is not certain.
    pub hint: *const c_char,
    /// How bad it is.
    pub severity: kls_severity,
    /// The line, from 1; 0 where the mistake has no place in the text.
    pub line: u32,
    /// The character within the line, from 1; 0 where it has no place.
    pub column: u32,
    /// The offset of the first byte of the place, from 0.
    pub start: u32,
    /// The offset behind the last byte of the place.
    pub end: u32,
}

/// Diagnostics with the text that they are about.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    list: Vec<(Diagnostic, Texts)>,
    source: Option<Source>,
    rendered: OnceLock<CString>,
}

/// The texts of a diagnostic, for C.
#[derive(Debug)]
struct Texts {
    code: CString,
    message: CString,
    hint: Option<CString>,
}

impl Diagnostics {
    pub(crate) fn new(list: Vec<Diagnostic>, source: Source) -> Self {
        let with_texts = |diagnostic: Diagnostic| {
            let texts = Texts {
                code: c_text(diagnostic.code.as_str()),
                message: c_text(diagnostic.message.as_str()),
                hint: diagnostic.hint.as_deref().map(c_text),
            };
            (diagnostic, texts)
        };
        let list = list.into_iter().map(with_texts).collect();
        Self { list, source: Some(source), rendered: OnceLock::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The code of the first that is an error and no warning.
    pub(crate) fn first_error_code(&self) -> Option<&CStr> {
        self.list.iter().find(|(diagnostic, _)| diagnostic.is_error()).map(|(_, texts)| &*texts.code)
    }

    /// All of them as text for a person.
    pub(crate) fn text(&self) -> &CStr {
        self.rendered.get_or_init(|| {
            let source = self.source.as_ref();
            let one = |diagnostic| source.map(|source| render(diagnostic, source, Color::Never));
            c_text(self.list.iter().filter_map(|(diagnostic, _)| one(diagnostic)).collect::<String>())
        })
    }

    /// Writes what there is to say of one of them to a place of the host's.
    ///
    /// # Safety
    /// `place` is null or a `kls_diagnostic` of the host's, of the size that stands in it.
    pub(crate) unsafe fn describe(&self, index: usize, place: *mut kls_diagnostic) -> kls_status {
        if place.is_null() {
            return kls_status::KLS_INVALID_ARGUMENT;
        }
        // SAFETY: not null; the size is what every version of the struct begins with.
        let struct_size = unsafe { place.cast::<usize>().read() };
        // This is the first version; a host that knows of more fields gets these.
        let Some((diagnostic, texts)) =
            self.list.get(index).filter(|_| struct_size >= size_of::<kls_diagnostic>())
        else {
            return kls_status::KLS_INVALID_ARGUMENT;
        };
        let span = diagnostic.span;
        let position = span.and_then(|span| self.source.as_ref().map(|source| source.position(span.start)));
        let described = kls_diagnostic {
            struct_size,
            code: texts.code.as_ptr(),
            message: texts.message.as_ptr(),
            hint: texts.hint.as_ref().map_or(ptr::null(), |hint| hint.as_ptr()),
            severity: match diagnostic.severity {
                Severity::Error => kls_severity::KLS_ERROR,
                Severity::Warning => kls_severity::KLS_WARNING,
            },
            line: position.map_or(0, |position| position.line),
            column: position.map_or(0, |position| position.column),
            start: span.map_or(0, |span| span.start),
            end: span.map_or(0, |span| span.end),
        };
        // SAFETY: not null, and as large as this version at least.
        unsafe { place.write(described) };
        kls_status::KLS_OK
    }
}
