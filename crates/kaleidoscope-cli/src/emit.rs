//! `emit`: shows a stage of a program. Nothing runs.
//!
//! Text is printed item by item, and so is JSON: one object a line. A picture has all items, and
//! LLVM IR and assembly are one module that LLVM's tools and assemblers read.

mod dot;
mod graph;
mod layout;
mod module;
mod svg;

use crate::Exit;
use crate::args::{EmitForm, EmitKind, EmitOptions};
use crate::arrays;
use crate::backend;
use crate::console::Console;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::report::{Reporter, place};
use crate::session::read_all;
use graph::Graph;
use kaleidoscope::ir::flow::Flow;
use kaleidoscope::lang::item::Item;
use kaleidoscope::lang::{syntax, token};
use kaleidoscope::{Engine, Listing, Mode, Script};
use module::{LlvmModule, with_labels_of};
use serde_json::{Value, json};

/// Shows the chosen stage.
pub(crate) fn emit(options: &EmitOptions) -> Exit {
    let console = Console::new();
    let reporter = Reporter::new(options.messages.format, console.clone());
    let input = Input::of_path(&options.file);
    if let Err(refusal) = check_form(options) {
        return reporter.refuse(&refusal);
    }
    let mode = match options.kind {
        EmitKind::Tokens | EmitKind::Ast | EmitKind::Ir => Mode::Off,
        EmitKind::Llvm | EmitKind::Asm => Mode::Lazy,
    };
    let builder = match backend::builder(mode) {
        Ok((builder, _)) => options.optimization.apply(builder),
        Err(refusal) => return reporter.refuse(&refusal),
    };
    let engine = match options.prelude.build(builder) {
        Ok(engine) => engine,
        Err(error) => {
            reporter.failure(&error.to_string());
            return Exit::Program;
        }
    };
    if let Err(refusal) = arrays::bind(&options.arrays.arrays, &engine) {
        return reporter.refuse(&refusal);
    }
    if let Err(refusal) = options.parameters.bind(&engine) {
        return reporter.refuse(&refusal);
    }
    let mut script = engine.script(&input.name());
    if options.kind == EmitKind::Tokens {
        script.reader().keep_tokens();
    }
    let mut exit = match read_all(&input, &mut script, &reporter) {
        Ok(exit) => exit,
        Err(refusal) => return reporter.refuse(&refusal),
    };
    let mut is_found = false;
    let mut graphs = Vec::new();
    let (mut llvm, mut n_listed) = (LlvmModule::default(), 0);
    while let Some(read) = script.read_next() {
        for diagnostic in &read.diagnostics {
            reporter.report(diagnostic, &script.source());
            if diagnostic.is_error() {
                exit = Exit::Program;
            }
        }
        let is_wanted = options
            .function
            .as_deref()
            .is_none_or(|wanted| read.item.as_ref().and_then(name) == Some(wanted));
        if !is_wanted {
            continue;
        }
        is_found = true;
        let item = read.item.as_ref();
        let shown = match options.form {
            EmitForm::Text => show(options.kind, &engine, &mut script, item),
            EmitForm::Json => Ok(as_json(options.kind, &engine, &mut script, item)),
            EmitForm::Dot | EmitForm::Svg => {
                graphs.extend(graph(options.kind, &engine, &mut script, item));
                continue;
            }
        };
        match shown {
            Ok(text) if options.kind == EmitKind::Llvm => llvm.add(&text),
            // A failure shows at the end.
            Ok(text) if options.kind == EmitKind::Asm => {
                n_listed += 1;
                drop(console.print(&with_labels_of(&text, n_listed)));
            }
            Ok(text) => drop(console.print(&text)),
            Err(message) => {
                reporter.failure(&message);
                exit = Exit::Program;
            }
        }
    }
    drop(console.print(&llvm.finish()));
    match picture(options.form, &graphs) {
        Ok(text) => drop(console.print(&text)),
        Err(message) => {
            reporter.failure(&message);
            exit = Exit::Program;
        }
    }
    if let (Some(name), false) = (&options.function, is_found) {
        reporter.failure(&format!("there is no function `{name}` in {}", input.name()));
        exit = Exit::Program;
    }
    if let Err(message) = console.finish() {
        reporter.failure(&message);
        exit = Exit::Program;
    }
    exit
}

/// Refuses a form that the stage does not have.
fn check_form(options: &EmitOptions) -> Result<(), Refusal> {
    let has_form = match (options.kind, options.form) {
        (_, EmitForm::Text) | (EmitKind::Ast | EmitKind::Ir, _) => true,
        (EmitKind::Tokens, EmitForm::Json) => true,
        (EmitKind::Tokens | EmitKind::Llvm | EmitKind::Asm, _) => false,
    };
    if has_form {
        return Ok(());
    }
    let message = "this stage has no such form: `ast` and `ir` have all, and `tokens` has `text` and `json`";
    Err(Refusal::usage(message.to_owned()))
}

/// All pictures as one document; nothing for other forms.
///
/// # Errors
/// There is too much to see, as a sentence.
fn picture(form: EmitForm, graphs: &[Graph]) -> Result<String, String> {
    match form {
        EmitForm::Text | EmitForm::Json => Ok(String::new()),
        EmitForm::Dot => Ok(dot::document(graphs)),
        EmitForm::Svg => {
            let n_nodes: usize = graphs.iter().map(|graph| graph.nodes.len()).sum();
            if n_nodes > svg::MOST_NODES {
                return Err(format!(
                    "a picture of {n_nodes} nodes is too large: `--function` shows one function, and \
                     `--format dot` and `json` have no limit"
                ));
            }
            Ok(svg::document(graphs))
        }
    }
}

/// The graph of the item that the script read last; `None` if the item has none.
fn graph(kind: EmitKind, engine: &Engine, script: &mut Script, item: Option<&Item>) -> Option<Graph> {
    if kind == EmitKind::Ast {
        let nodes = script.reader().syntax().map(|(tree, item)| syntax::diagram(item, tree))?;
        let title = item.and_then(name).unwrap_or_default();
        return Some(Graph::of_tree(title, nodes));
    }
    let (Item::Definition { function, .. } | Item::Expression { function, .. }) = item? else { return None };
    let text = engine.ir_text(item?)?;
    Some(Graph::of_flow(&function.name, Flow::of(function), &operations(&text)))
}

/// The operations of a function's text, without their positions.
fn operations(text: &str) -> Vec<&str> {
    fn without_position(line: &str) -> &str {
        line.trim_start().trim_start_matches(|character: char| character.is_ascii_digit()).trim()
    }
    text.lines().skip(1).map(without_position).collect()
}

/// The stage of the item that the script read last as JSON: tokens one a line, otherwise one
/// object.
fn as_json(kind: EmitKind, engine: &Engine, script: &mut Script, item: Option<&Item>) -> String {
    let source = script.source();
    let at = |span, mut object: Value| {
        if let (Value::Object(place), Value::Object(fields)) = (place(span, &source), &mut object) {
            fields.extend(place);
        }
        object
    };
    match (kind, item) {
        (EmitKind::Tokens, _) => {
            let tokens = script.reader().tokens().iter();
            let objects = tokens.map(|token| {
                at(token.span, json!({ "kind": token.kind.name(), "text": source.slice(token.span) }))
            });
            objects.map(|object| format!("{object}\n")).collect()
        }
        (EmitKind::Ast, item) => {
            let Some((tree, root)) = script.reader().syntax() else { return String::new() };
            let nodes = syntax::diagram(root, tree).into_iter().enumerate().map(|(id, node)| {
                let object = json!({ "id": id, "kind": node.kind, "text": node.text, "parts": node.parts });
                node.span.map_or_else(|| object.clone(), |span| at(span, object.clone()))
            });
            let nodes: Vec<_> = nodes.collect();
            format!("{}\n", json!({ "item": item.and_then(name), "nodes": nodes }))
        }
        (_, Some(item @ (Item::Definition { function, .. } | Item::Expression { function, .. }))) => {
            let text = engine.ir_text(item).unwrap_or_default();
            let object = graph::flow_as_json(&function.name, &Flow::of(function), &operations(&text));
            format!("{object}\n")
        }
        _ => String::new(),
    }
}

/// The function's name, or the expression's.
fn name(item: &Item) -> Option<&str> {
    match item {
        Item::Definition { function, .. } | Item::Expression { function, .. } => Some(&function.name),
        _ => None,
    }
}

/// The stage of the item that the script read last.
///
/// # Errors
/// Why the item has none, as a sentence.
pub(crate) fn show(
    kind: EmitKind,
    engine: &Engine,
    script: &mut Script,
    item: Option<&Item>,
) -> Result<String, String> {
    let listing = match kind {
        EmitKind::Tokens => {
            let source = script.source();
            return Ok(token::listing(script.reader().tokens(), &source));
        }
        EmitKind::Ast => {
            let outline = script.reader().syntax().map(|(tree, item)| syntax::outline(item, tree));
            return Ok(outline.unwrap_or_default());
        }
        EmitKind::Ir => return Ok(item.and_then(|item| engine.ir_text(item)).unwrap_or_default()),
        EmitKind::Llvm => Listing::Llvm,
        EmitKind::Asm => Listing::Assembly,
    };
    let Some(item) = item else { return Ok(String::new()) };
    let text = engine.list(item, listing)?;
    Ok(text.map_or_else(String::new, |text| format!("{}\n", text.trim_end())))
}
