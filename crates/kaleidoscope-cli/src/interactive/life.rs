//! The life of each function: its last events, for `:list`, `:why` and `:events`.

use kaleidoscope::{CodeName, Event, Observer, Tier};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many events of a function are remembered.
const N_REMEMBERED: usize = 64;

/// How many functions are remembered. Top-level expressions are functions, too.
const MOST_FUNCTIONS: usize = 20_000;

/// Prints a line while the prompt is shown, above it.
pub(super) type Printer = Box<dyn FnMut(String) + Send>;

/// Remembers events. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Life(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    events: HashMap<Arc<str>, VecDeque<(Instant, Event)>>,
    /// The functions that were defined, in the order of their last definitions.
    defined: Vec<Arc<str>>,
    n_definitions: usize,
    printer: Option<Printer>,
    prints: bool,
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("n_functions", &self.lock().events.len()).finish_non_exhaustive()
    }
}

impl Observer for Life {
    fn observe(&self, event: &Event) {
        let mut state = self.lock();
        if let Some(code) = code_of(event) {
            if state.events.len() >= MOST_FUNCTIONS {
                state.events.retain(|name, _| !name.starts_with('$'));
            }
            let of_function = state.events.entry(Arc::clone(&code.name)).or_default();
            if of_function.len() == N_REMEMBERED {
                of_function.pop_front();
            }
            of_function.push_back((Instant::now(), event.clone()));
        }
        if let Event::Defined { code, .. } = event {
            state.n_definitions += 1;
            if !code.is_expression() {
                state.defined.push(Arc::clone(&code.name));
            }
        }
        if state.prints
            && let Some(line) = line(event)
            && let Some(printer) = &mut state.printer
        {
            printer(format!("  · {line}\n"));
        }
    }
}

impl Life {
    /// Sets how `:events on` prints.
    pub(super) fn print_with(&self, printer: Option<Printer>) {
        self.lock().printer = printer;
    }

    /// Says whether events are printed as they happen.
    pub(super) fn set_prints(&self, prints: bool) {
        self.lock().prints = prints;
    }

    /// How many definitions there were so far.
    pub(super) fn n_definitions(&self) -> usize {
        self.lock().n_definitions
    }

    /// The functions that were defined, in the order of their last definitions.
    pub(super) fn defined(&self) -> Vec<Arc<str>> {
        let state = self.lock();
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for name in state.defined.iter().rev() {
            if seen.insert(Arc::clone(name)) {
                names.push(Arc::clone(name));
            }
        }
        names.reverse();
        names
    }

    /// The functions among the last `n` definitions.
    pub(super) fn last_defined(&self, n: usize) -> Vec<Arc<str>> {
        let state = self.lock();
        let first = state.defined.len().saturating_sub(n);
        let mut names = state.defined[first..].to_vec();
        names.sort();
        names.dedup();
        names
    }

    /// What runs when the function is called, in one word or two.
    pub(super) fn tier(&self, name: &str) -> &'static str {
        let state = self.lock();
        let (mut baseline, mut optimized, mut was_called) = (None, None, false);
        for (_, event) in state.events.get(name).into_iter().flatten() {
            match event {
                Event::Defined { .. } => (baseline, optimized, was_called) = (None, None, false),
                Event::FirstCalled { .. } => was_called = true,
                Event::Compiled { tier: Tier::Baseline, osr_loop: None, .. } => {
                    baseline = Some(Tier::Baseline);
                }
                Event::Compiled { tier: Tier::Kernel, .. } => {}
                Event::Compiled { tier, osr_loop: None, .. } => optimized = Some(*tier),
                Event::Invalidated { osr_loop: None, .. } => optimized = None,
                _ => {}
            }
        }
        match optimized.or(baseline) {
            Some(tier) => tier.name(),
            None if was_called => "interpreted",
            None => "not called",
        }
    }

    /// What happened to the function, the oldest first, with the time since then.
    pub(super) fn story(&self, name: &str) -> Vec<(Duration, String)> {
        let state = self.lock();
        let events = state.events.get(name).into_iter().flatten();
        events.filter_map(|(at, event)| Some((at.elapsed(), line(event)?))).collect()
    }

    /// The functions whose code contains this one now.
    pub(super) fn inlined_into(&self, name: &str) -> Vec<Arc<str>> {
        let state = self.lock();
        let contains = |events: &VecDeque<(Instant, Event)>| {
            let last = events.iter().rev().find(|(_, event)| {
                matches!(
                    event,
                    Event::Compiled { osr_loop: None, .. } | Event::Invalidated { osr_loop: None, .. }
                )
            });
            last.is_some_and(|(_, event)| match event {
                Event::Compiled { inlined, .. } => inlined.iter().any(|inlined| &**inlined == name),
                _ => false,
            })
        };
        let mut names: Vec<_> = state
            .events
            .iter()
            .filter(|(_, events)| contains(events))
            .map(|(name, _)| Arc::clone(name))
            .filter(|name| !name.starts_with('$'))
            .collect();
        names.sort();
        names
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The function that an event is about.
fn code_of(event: &Event) -> Option<&CodeName> {
    match event {
        Event::Defined { code, .. }
        | Event::FirstCalled { code }
        | Event::Compiled { code, .. }
        | Event::Hot { code, .. }
        | Event::Invalidated { code, .. }
        | Event::Deoptimized { code, .. }
        | Event::Reclaimed { code, .. }
        | Event::CompileFailed { code, .. }
        | Event::Mapped { code, .. } => Some(code),
        _ => None,
    }
}

/// The event in one line. `None` for steps inside of others.
fn line(event: &Event) -> Option<String> {
    let of = |code: &CodeName| format!("{} (version {})", code.name, code.version);
    let place =
        |osr_loop: &Option<usize>| osr_loop.map_or(String::new(), |nth| format!(" of its loop {nth}"));
    Some(match event {
        Event::Defined { code, ir_bytes } => {
            format!("{}: defined, {ir_bytes} bytes of IR, no code", of(code))
        }
        Event::FirstCalled { code } => format!("{}: first called", of(code)),
        Event::GeneratorStarted { took } => format!("LLVM: started in {}", time(*took)),
        Event::Compiled { code, tier, osr_loop, inlined, times, bytes } => {
            let inlined = match inlined.is_empty() {
                true => String::new(),
                false => format!(", with {} inlined", inlined.join(", ")),
            };
            let took = time(times.total());
            let tier = tier.name();
            format!("{}: {tier} code{}, {bytes} bytes in {took}{inlined}", of(code), place(osr_loop))
        }
        Event::Hot { code, osr_loop } => format!("{}: hot, optimization{} begins", of(code), place(osr_loop)),
        Event::Invalidated { code, osr_loop } => {
            format!("{}: optimized code{} invalidated by a redefinition", of(code), place(osr_loop))
        }
        Event::Deoptimized { code, osr_loop, redefined, .. } => {
            let place = place(osr_loop);
            format!("{}: code{place} left while it ran, because `{redefined}` was redefined", of(code))
        }
        Event::Reclaimed { code, tier, bytes } => {
            format!("{}: {} code freed, {bytes} bytes", of(code), tier.name())
        }
        Event::CompileFailed { code, reason } => format!("{}: cannot be compiled: {reason}", of(code)),
        Event::Mapped { code, rows, took } => {
            let n_rows = rows.by_kernel + rows.by_columns + rows.by_calls;
            format!("{}: {n_rows} rows in {}", of(code), time(*took))
        }
        _ => return None,
    })
}

/// A time in the unit that fits.
pub(super) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match seconds {
        _ if seconds >= 1.0 => (seconds, "s"),
        _ if seconds >= 1e-3 => (seconds * 1e3, "ms"),
        _ if seconds >= 1e-6 => (seconds * 1e6, "µs"),
        _ => (seconds * 1e9, "ns"),
    };
    let n_decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.n_decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaleidoscope::{Engine, Mode};

    #[test]
    fn a_function_has_a_tier_and_a_story() {
        let life = Life::default();
        let engine = Engine::builder().mode(Mode::Baseline).observer(life.clone()).build().unwrap();
        engine.run("def f(x) x + 1;").ok().unwrap();
        assert_eq!(life.tier("f"), "not called");
        engine.function::<(f64,)>("f").unwrap().call((1.0,)).unwrap();
        engine.run("f(1); f(2);").ok().unwrap();
        let story: Vec<_> = life.story("f").into_iter().map(|(_, line)| line).collect();
        assert!(story[0].starts_with("f (version 1): defined"), "{story:?}");
        assert!(story.len() > 1, "{story:?}");
        engine.run("def g() 1; def f(x) x;").ok().unwrap();
        let defined: Vec<_> = life.defined().iter().map(ToString::to_string).collect();
        assert_eq!(defined, ["g", "f"]);
        assert_eq!(life.tier("f"), "not called");
    }

    #[test]
    fn times_have_three_digits() {
        for (nanos, text) in
            [(12, "12.0 ns"), (1_234, "1.23 µs"), (345_600, "346 µs"), (2_000_000_000, "2.00 s")]
        {
            assert_eq!(time(Duration::from_nanos(nanos)), text);
        }
    }
}
