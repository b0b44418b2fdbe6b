//! Statistics: what `--stats` prints on standard error.

use crate::args::StatsFormat;
use kaleidoscope::{CacheTotals, Compiled, Totals};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// Prints the statistics.
pub(crate) fn print(format: StatsFormat, totals: &Totals, cache: Option<CacheTotals>) {
    let text = match format {
        StatsFormat::Json => {
            let mut object = as_json(totals);
            object["cache"] = cache.map_or(Value::Null, |cache| {
                json!({
                    "found": cache.found,
                    "missing": cache.missing,
                    "written": cache.written,
                    "failed": cache.failed,
                })
            });
            format!("{object}\n")
        }
        StatsFormat::Text => as_text(totals, cache),
    };
    // If standard error fails, there is no place to report it.
    drop(io::stderr().write_all(text.as_bytes()));
}

/// The object that scripts rely on: keys may be added, never renamed.
fn as_json(totals: &Totals) -> Value {
    let compiled = totals.compiled.iter().map(|compiled| {
        json!({
            "name": &*compiled.code.name,
            "tier": compiled.tier.name(),
            "version": compiled.code.version,
            "micros": micros(compiled.times.total()),
            "bytes": compiled.bytes,
            "loop": compiled.osr_loop,
            "inlined": compiled.inlined.iter().map(|name| &**name).collect::<Vec<_>>(),
        })
    });
    json!({
        "functions": {
            "defined": totals.defined.len(),
            "called": totals.called.union(&totals.compiled_functions).count(),
            "baseline": totals.baseline.len(),
            "optimized": totals.optimized.len(),
            "invalidated": totals.n_invalidated,
            "deoptimized": totals.n_deoptimized,
            "failed": totals.failed.len(),
        },
        "expressions": totals.n_expressions,
        "ir_functions": totals.ir_functions.len(),
        "bytes": { "code": totals.code_bytes, "resolved": totals.ir_bytes },
        "micros": {
            "parse": micros(totals.parse),
            "baseline": micros(totals.compile.baseline),
            "llvm_start": micros(totals.generator_start),
            "llvm_ir": micros(totals.compile.ir),
            "llvm_optimize": micros(totals.compile.optimize),
            "llvm_codegen": micros(totals.compile.codegen),
            "link": micros(totals.compile.link),
            "run": micros(totals.run),
            "total": micros(totals.total),
        },
        "compiled": compiled.collect::<Vec<_>>(),
    })
}

fn micros(duration: Duration) -> u128 {
    duration.as_micros()
}

/// The totals as text for people.
pub(crate) fn as_text(totals: &Totals, cache: Option<CacheTotals>) -> String {
    let mut text = format!(
        "functions   {} defined, {} compiled ({} hot), {} failed; {} bytes of IR, {} bytes of code\n\
         expressions {} run\n\
         time        {} in all: ",
        totals.defined.len(),
        totals.compiled_functions.len(),
        totals.optimized.len(),
        totals.failed.len(),
        totals.ir_bytes,
        totals.code_bytes,
        totals.n_expressions,
        millis(totals.total),
    );
    let stages = [
        ("parse", totals.parse),
        ("baseline", totals.compile.baseline),
        ("LLVM start", totals.generator_start),
        ("LLVM IR", totals.compile.ir),
        ("optimize", totals.compile.optimize),
        ("code generation", totals.compile.codegen),
        ("link", totals.compile.link),
        ("run", totals.run),
    ];
    let stages: Vec<_> = stages.iter().map(|(name, time)| format!("{name} {}", millis(*time))).collect();
    text.push_str(&stages.join(", "));
    text.push('\n');
    for compiled in &totals.compiled {
        text.push_str(&format!(
            "compiled    {:<24} {:>9}  version {:<3} {:>10}  {:>6} bytes{}\n",
            &*compiled.code.name,
            compiled.tier.name(),
            compiled.code.version,
            millis(compiled.times.total()),
            compiled.bytes,
            particulars(compiled),
        ));
    }
    if let Some(CacheTotals { found, missing, written, failed, .. }) = cache {
        let failed = if failed > 0 { format!(", {failed} could not be written") } else { String::new() };
        text.push_str(&format!("cache       {found} found, {missing} compiled, {written} written{failed}\n"));
    }
    text
}

/// The loop of OSR code, and the inlined functions.
fn particulars(compiled: &Compiled) -> String {
    let osr_loop = compiled.osr_loop.map_or(String::new(), |nth| format!(", loop {nth}"));
    match compiled.inlined.is_empty() {
        true => osr_loop,
        false => format!("{osr_loop}, with {} inlined", compiled.inlined.join(", ")),
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}
