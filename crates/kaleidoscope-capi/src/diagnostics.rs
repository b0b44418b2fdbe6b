//! Diagnostics as plain values for C.

use std::ffi::{CStr, CString, c_char};
use std::mem::size_of;
use std::ptr;
use std::sync::OnceLock;

use kaleidoscope::{Color, Diagnostic, Severity, Source, render};

use crate::c_text::c_text;
use crate::status::kls_status;

/// The severity of a diagnostic.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_severity {
    /// The item, or its evaluation, failed.
    KLS_ERROR = 0,
    /// The item was accepted, but may not be what the author meant.
    KLS_WARNING = 1,
}

/// A mistake in a program. The texts belong to the object that returned the diagnostic.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kls_diagnostic {
    /// `sizeof (kls_diagnostic)`, set by the host: later versions of this library may have more
    /// fields.
    pub struct_size: usize,
    /// The stable code, for example "KLS2001".
    pub code: *const c_char,
    /// One sentence, lower case, without the final dot.
    pub message: *const c_char,
    /// How to correct the mistake; `NULL` if that is not certain.
    pub hint: *const c_char,
    /// The severity.
    pub severity: kls_severity,
    /// The line, from 1; 0 if the mistake has no place in the text.
    pub line: u32,
    /// The character in the line, from 1; 0 if the mistake has no place in the text.
    pub column: u32,
    /// The offset of the first byte, from 0.
    pub start: u32,
    /// The offset after the last byte.
    pub end: u32,
}

/// Diagnostics, with the text that they refer to.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    list: Vec<(Diagnostic, Texts)>,
    source: Option<Source>,
    rendered: OnceLock<CString>,
}

/// The texts of a diagnostic as C strings.
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

    /// The code of the first error.
    pub(crate) fn first_error_code(&self) -> Option<&CStr> {
        self.list.iter().find(|(diagnostic, _)| diagnostic.is_error()).map(|(_, texts)| &*texts.code)
    }

    /// All diagnostics as text.
    pub(crate) fn text(&self) -> &CStr {
        self.rendered.get_or_init(|| {
            let source = self.source.as_ref();
            let one = |diagnostic| source.map(|source| render(diagnostic, source, Color::Never));
            c_text(self.list.iter().filter_map(|(diagnostic, _)| one(diagnostic)).collect::<String>())
        })
    }

    /// Writes one diagnostic to `place`.
    ///
    /// # Safety
    /// `place` is null, or a `kls_diagnostic` of the host with the size that its first field says.
    pub(crate) unsafe fn describe(&self, index: usize, place: *mut kls_diagnostic) -> kls_status {
        if place.is_null() {
            return kls_status::KLS_INVALID_ARGUMENT;
        }
        // SAFETY: not null; every version of the struct begins with its size.
        let struct_size = unsafe { place.cast::<usize>().read() };
        // This is the first version of the struct. A host that knows more fields gets these fields.
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
        // SAFETY: not null, and at least as large as this version.
        unsafe { place.write(described) };
        kls_status::KLS_OK
    }
}
