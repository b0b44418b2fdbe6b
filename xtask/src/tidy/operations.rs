//! A `match` on an operation of the IR names every operation.
//!
//! Then adding an operation makes the compiler name each place that must know it. `matches!` has a
//! hidden `_ => false`, so it counts as well. Tests are exempt.

use syn::parse::{Parse, ParseStream};
use syn::visit::{self, Visit};
use syn::{Arm, ExprMatch, Macro, Pat, Path, Token};

use super::{Complaint, Source};

/// The enumeration of operations.
const OPERATION: &str = "Op";

pub(super) fn check(sources: &[Source]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust() && !source.is_test()) {
        let file = match syn::parse_file(&source.text) {
            Ok(file) => file,
            Err(error) => {
                let line = error.span().start().line;
                complaints.push(Complaint::new(source, line, format!("tidy cannot read it: {error}")));
                continue;
            }
        };
        let mut finder = Finder::default();
        finder.visit_file(&file);
        complaints
            .extend(finder.found.into_iter().map(|(line, message)| Complaint::new(source, line, message)));
    }
    complaints
}

#[derive(Default)]
struct Finder {
    /// Line and message.
    found: Vec<(usize, &'static str)>,
}

impl Visit<'_> for Finder {
    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_expr_match(&mut self, expression: &ExprMatch) {
        if expression.arms.iter().any(|arm| names_operation(&arm.pat)) {
            let wild = expression.arms.iter().filter(|arm| is_catch_all(&arm.pat));
            self.found.extend(wild.map(|arm| (line(arm), "the pattern hides operations: name each")));
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_macro(&mut self, called: &Macro) {
        let is_matches = called.path.segments.last().is_some_and(|last| last.ident == "matches");
        if is_matches
            && let Ok(Matches(pattern)) = called.parse_body()
            && names_operation(&pattern)
        {
            let at = called.path.segments[0].ident.span().start().line;
            self.found.push((at, "`matches!` hides operations: use a `match` that names each"));
        }
        visit::visit_macro(self, called);
    }
}

/// Whether the attributes say that what follows is compiled for tests only.
pub(super) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

fn line(arm: &Arm) -> usize {
    syn::spanned::Spanned::span(&arm.pat).start().line
}

/// The pattern of `matches!(value, pattern)`.
struct Matches(Pat);

impl Parse for Matches {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<syn::Expr>()?;
        input.parse::<Token![,]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        // The condition says nothing about the pattern.
        input.parse::<proc_macro2::TokenStream>()?;
        Ok(Self(pattern))
    }
}

/// Whether an operation is named in the pattern.
fn names_operation(pattern: &Pat) -> bool {
    struct Names(bool);
    impl Visit<'_> for Names {
        fn visit_path(&mut self, path: &Path) {
            let n_segments = path.segments.len();
            self.0 |= n_segments >= 2 && path.segments[n_segments - 2].ident == OPERATION;
        }
    }
    let mut names = Names(false);
    names.visit_pat(pattern);
    names.0
}

/// Whether the pattern matches every operation.
fn is_catch_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        // A lower-case name is a variable, another one a constant.
        Pat::Ident(name) => match &name.subpat {
            Some((_, inner)) => is_catch_all(inner),
            None => name.ident.to_string().starts_with(|first: char| first.is_lowercase() || first == '_'),
        },
        Pat::Or(cases) => cases.cases.iter().any(is_catch_all),
        Pat::Paren(inner) => is_catch_all(&inner.pat),
        Pat::Reference(inner) => is_catch_all(&inner.pat),
        Pat::Tuple(parts) => parts.elems.iter().all(is_catch_all),
        Pat::TupleStruct(parts) => parts.path.is_ident("Some") && parts.elems.iter().all(is_catch_all),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
