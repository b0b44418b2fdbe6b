//! The modules of a crate, the names in each, and which modules their paths lead to.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Item, Macro, UseTree};

use crate::tidy::Source;
use crate::tidy::operations::is_test;

/// How many `use` declarations a name is followed through.
const MAX_STEPS: usize = 8;

/// A path as its segments.
type Segments = Vec<String>;

/// A crate; its root is module 0.
pub(super) struct Crate {
    modules: Vec<Module>,
}

struct Module {
    name: String,
    /// The file that it is in.
    path: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Functions, types and other items, by name.
    items: BTreeSet<String>,
    /// Names that `use` brings, with what they stand for.
    uses: BTreeMap<String, Segments>,
    /// Modules of which `use` brings all names.
    globs: Vec<Segments>,
    /// Every path in the module, and its line.
    paths: Vec<(Segments, usize)>,
}

/// A use of an item of one module by another.
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The first place.
    pub(super) path: String,
    pub(super) line: usize,
}

impl Crate {
    /// Reads the modules from the root's file on.
    pub(super) fn read(sources: &[Source], root: &Source) -> Self {
        let mut tree = Self { modules: Vec::new() };
        if let Ok(file) = syn::parse_file(&root.text) {
            let folder = root.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            tree.add(sources, "crate", None, &root.path, folder, &file.items);
        }
        tree
    }

    /// Adds a module and those in it. `folder` is where their files are.
    fn add(
        &mut self,
        sources: &[Source],
        name: &str,
        parent: Option<usize>,
        path: &str,
        folder: &str,
        items: &[Item],
    ) -> usize {
        let idx = self.modules.len();
        let mut module = Module {
            name: name.to_owned(),
            path: path.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            uses: BTreeMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
        };
        let mut inner = Vec::new();
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(item) => inner.push(item),
                _ => module.visit_item(item),
            }
        }
        self.modules.push(module);
        for item in inner {
            let child = item.ident.to_string();
            let folder_of_child = format!("{folder}/{child}");
            let added = match &item.content {
                Some((_, items)) => Some(self.add(sources, &child, Some(idx), path, &folder_of_child, items)),
                None => {
                    let files = [format!("{folder_of_child}.rs"), format!("{folder_of_child}/mod.rs")];
                    let found = sources.iter().find(|source| files.contains(&source.path));
                    found.and_then(|source| {
                        let file = syn::parse_file(&source.text).ok()?;
                        Some(self.add(
                            sources,
                            &child,
                            Some(idx),
                            &source.path,
                            &folder_of_child,
                            &file.items,
                        ))
                    })
                }
            };
            if let Some(added) = added {
                self.modules[idx].children.insert(child, added);
            }
        }
        idx
    }

    /// The path of the module.
    pub(super) fn name(&self, module: usize) -> String {
        match self.modules[module].parent {
            Some(parent) => format!("{}::{}", self.name(parent), self.modules[module].name),
            None => self.modules[module].name.clone(),
        }
    }

    /// The uses between modules of which neither is inside the other, one for each pair.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let mut edges = BTreeMap::new();
        for (from, module) in self.modules.iter().enumerate() {
            for (segments, line) in &module.paths {
                let Some(to) = self.resolve(from, segments, MAX_STEPS) else { continue };
                if !self.is_inside(from, to) && !self.is_inside(to, from) {
                    edges.entry((from, to)).or_insert_with(|| Edge {
                        from,
                        to,
                        path: module.path.clone(),
                        line: *line,
                    });
                }
            }
        }
        edges.into_values().collect()
    }

    fn is_inside(&self, mut inner: usize, outer: usize) -> bool {
        loop {
            if inner == outer {
                return true;
            }
            match self.modules[inner].parent {
                Some(parent) => inner = parent,
                None => return false,
            }
        }
    }

    /// The module that has the item that the path names, as seen from `from`; `None` for items of
    /// other crates.
    fn resolve(&self, from: usize, segments: &[String], n_steps: usize) -> Option<usize> {
        let (first, mut rest) = segments.split_first()?;
        let mut module = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            // The item itself, or what brings it here, is in this module.
            _ => return self.resolve_name(from, first, rest, n_steps),
        };
        while let Some((next, others)) = rest.split_first() {
            if next != "super" {
                return self.resolve_name(module, next, others, n_steps);
            }
            module = self.modules[module].parent?;
            rest = others;
        }
        Some(module)
    }

    /// The same for `name::rest`, where the name is one of the module's.
    fn resolve_name(&self, module: usize, name: &String, rest: &[String], n_steps: usize) -> Option<usize> {
        let known = &self.modules[module];
        if let Some(child) = known.children.get(name) {
            return match rest.split_first() {
                Some((next, others)) => self.resolve_name(*child, next, others, n_steps).or(Some(*child)),
                None => Some(*child),
            };
        }
        if known.items.contains(name) {
            return Some(module);
        }
        let n_steps = n_steps.checked_sub(1)?;
        if let Some(target) = known.uses.get(name) {
            let whole: Segments = target.iter().chain(rest).cloned().collect();
            // `use serde;` brings a name that is its own path.
            return if target.first() == Some(name) { None } else { self.resolve(module, &whole, n_steps) };
        }
        known.globs.iter().find_map(|glob| {
            let brought = self.resolve(module, glob, n_steps)?;
            (brought != module).then(|| self.resolve_name(brought, name, rest, n_steps))?
        })
    }
}

fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl Module {
    fn add_use(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(prefix, tree)),
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.paths.push((prefix.to_vec(), line));
                self.globs.push(prefix.to_vec());
            }
            UseTree::Name(name) => self.bring(prefix, &name.ident, &name.ident),
            UseTree::Rename(rename) => self.bring(prefix, &rename.ident, &rename.rename),
        }
    }

    fn bring(&mut self, prefix: &[String], name: &syn::Ident, known_as: &syn::Ident) {
        let line = name.span().start().line;
        // `use a::{self}` brings `a`.
        let (target, known_as) = if name == "self" {
            let last = prefix.last().cloned().unwrap_or_default();
            (prefix.to_vec(), if known_as == "self" { last } else { known_as.to_string() })
        } else {
            ([prefix, &[name.to_string()]].concat(), known_as.to_string())
        };
        self.paths.push((target.clone(), line));
        self.uses.insert(known_as, target);
    }

    /// Paths in the tokens of a macro's call.
    fn visit_tokens(&mut self, tokens: TokenStream) {
        let mut segments: Segments = Vec::new();
        let mut line = 0;
        let mut n_colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if n_colons != 2 {
                        self.end_path(&mut segments, line);
                        line = ident.span().start().line;
                    }
                    segments.push(ident.to_string());
                    n_colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => n_colons += 1,
                TokenTree::Group(group) => {
                    self.end_path(&mut segments, line);
                    n_colons = 0;
                    self.visit_tokens(group.stream());
                }
                _ => {
                    self.end_path(&mut segments, line);
                    n_colons = 0;
                }
            }
        }
        self.end_path(&mut segments, line);
    }

    fn end_path(&mut self, segments: &mut Segments, line: usize) {
        if segments.len() > 1 {
            self.paths.push((std::mem::take(segments), line));
        }
        segments.clear();
    }
}

impl Visit<'_> for Module {
    fn visit_item(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            Item::Macro(item) => item.ident.as_ref(),
            _ => None,
        };
        self.items.extend(name.map(ToString::to_string));
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.add_use(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.paths.push((segments, path.segments[0].ident.span().start().line));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &Macro) {
        self.visit_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}
