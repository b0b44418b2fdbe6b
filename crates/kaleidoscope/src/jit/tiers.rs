//! Better code for what has become hot, and the way back.
//!
//! ```text
//!  a counter runs out ──► on_hot ──► root_of ──► Source::improve … in the background … ──► install_better
//!                                                                                               │
//!  slot ──► first body            slot ──► better body, which carries callees ◄─────────────────┘
//!                 ▲                            │ a callee is defined again
//!                 └────────────────────────────┘
//! ```
//! For some milliseconds after the first counter has run out they only begin again (`is_too_early`).
//!
//! What is made in the background may come too late: the function itself, or one that is carried, was defined again. Then it is
//! dropped, and asked for again when the code has counted anew.

use super::heat::{Counter, Heat, Stage};
use super::install::Body;
use super::rows::RowsKey;
use super::{Jit, Source, StubId, Table};
use crate::policy::{Advice, advise};
use kaleidoscope_ir::compile::CodeKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Code whose better body is to be made.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) heat: Arc<Heat>,
    pub(crate) part: CodeKind,
}

/// Who carries a function: what goes when that is defined again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Carrier {
    /// A body of a function.
    Function(StubId),
    /// The better code of a loop in counting code of this number.
    Loop { heat: u32, nth: usize },
    /// Code for rows.
    Rows(RowsKey),
}

impl<S: Source> Jit<S> {
    /// A counter of counting code has run out. Returns what its code is told: whether there is better code to go to.
    pub(crate) fn on_hot(&self, number: f64, counter: f64) -> Result<f64, S::Failure> {
        let Some(heat) = self.table().heats.get(&(number as u32)).cloned() else { return Ok(0.0) };
        let counter = heat.counter(counter);
        let trip = heat.on_report(counter);
        // Looked at after the counter has been set: whoever takes better code away sets it again.
        let has_better = match counter {
            Counter::Entry => self.has_better(&heat),
            Counter::Loop(nth) => heat.has_better_loop(nth),
        };
        if has_better {
            return Ok(1.0);
        }
        let Some(trip) = trip else { return Ok(0.0) };
        if self.is_too_early(&heat) {
            return Ok(0.0);
        }
        let hot = match (advise(trip, heat.unit.id.is_some()), counter) {
            // That will take it over.
            (_, Counter::Loop(nth)) if heat.stage(CodeKind::Osr(nth)) != Stage::Cool => None,
            (Advice::Loop, Counter::Loop(nth)) => Some(Hot { heat, part: CodeKind::Osr(nth) }),
            _ => self.root_of(&heat, counter),
        };
        if let Some(hot) = hot
            && hot.heat.ask(hot.part)
        {
            self.source.improve(hot)?;
        }
        Ok(0.0)
    }

    /// Whether better code is not made yet, now that this is hot. Then it counts anew; and when the time has come, so does all, that
    /// what counts for longest does not seem to run most.
    fn is_too_early(&self, heat: &Heat) -> bool {
        let delay = self.source.delay();
        if delay.is_zero() || self.makes_better.load(Ordering::Relaxed) {
            return false;
        }
        if self.first_hot.get_or_init(Instant::now).elapsed() < delay {
            heat.count_anew();
        } else if !self.makes_better.swap(true, Ordering::Relaxed) {
            self.table().heats.values().for_each(|heat| heat.count_anew());
        }
        true
    }

    /// Whether calls go to better code of the very definition that the code was made of.
    fn has_better(&self, heat: &Heat) -> bool {
        let Some(function) = self.source.stub_of(&heat.unit) else { return false };
        let table = self.table();
        let better = table.functions[function.index()].state.better();
        better.is_some_and(|body| body.facts.version() == heat.unit.version)
    }

    /// Puts better code in its place: behind the stub, or where a running loop will find it. Code that no longer holds is
    /// dropped without a word, and may be asked for again.
    pub(crate) fn install_better(&self, hot: &Hot, body: Box<Body>) -> Result<(), S::Failure> {
        let facts = body.facts.clone();
        let installed = self.table().install_better(&hot.heat, body);
        match installed {
            Ok(()) => self.source.ready(&facts),
            Err(_stale) => {
                self.came_to_nothing(hot);
                Ok(())
            }
        }
    }

    /// Better code cannot be made: it is not asked for again. What it would have carried is on its own.
    pub(crate) fn gave_up(&self, hot: &Hot) {
        hot.heat.end(hot.part);
        for callee in hot.heat.callees() {
            self.have_counted(callee);
        }
    }

    /// No better code was made this time; it is asked for again when the code has counted anew.
    pub(crate) fn came_to_nothing(&self, hot: &Hot) {
        match hot.part {
            CodeKind::Function => hot.heat.cool(),
            CodeKind::Osr(nth) => hot.heat.restart_loop(nth),
            CodeKind::Kernel(_) => {}
        }
    }
}

impl Table {
    pub(super) fn version_of(&self, function: StubId) -> u32 {
        self.functions[function.index()].state.version()
    }

    fn install_better(&mut self, heat: &Arc<Heat>, body: Box<Body>) -> Result<(), Box<Body>> {
        let is_alive = self.heats.get(&heat.number()).is_some_and(|known| Arc::ptr_eq(known, heat));
        if !is_alive || !self.holds(&body) {
            return Err(body);
        }
        let carrier = match (body.part(), body.facts.function) {
            // Somebody was quicker.
            (CodeKind::Osr(nth), _) if heat.has_better_loop(nth) => return Err(body),
            (CodeKind::Osr(nth), _) => Carrier::Loop { heat: heat.number(), nth },
            (CodeKind::Function, Some(function)) => Carrier::Function(function),
            (CodeKind::Function, None) | (CodeKind::Kernel(_), _) => return Err(body),
        };
        let carries = body.carries.clone();
        heat.end(body.part());
        match carrier {
            Carrier::Function(function) => {
                self.functions[function.index()].install_better(body)?;
            }
            Carrier::Loop { nth, .. } => heat.set_loop(nth, *body),
            Carrier::Rows(_) => unreachable!("code for rows is not made of heat"),
        }
        self.note_carrier(carrier, &carries);
        Ok(())
    }

    /// Whether what the body carries is what a call would reach.
    pub(super) fn holds(&self, body: &Body) -> bool {
        body.carries.iter().all(|&(carried, version)| self.version_of(carried) == version)
    }

    pub(super) fn note_carrier(&mut self, carrier: Carrier, carries: &[(StubId, u32)]) {
        for &(carried, _) in carries {
            self.carriers.entry(carried).or_default().insert(carrier);
        }
    }

    /// Notes that the loops of counting code of this number have better code no more.
    pub(super) fn forget_loops(&mut self, heat: u32, loops: &[Body]) {
        for body in loops {
            let CodeKind::Osr(nth) = body.part() else { continue };
            for (carried, _) in &body.carries {
                if let Some(carriers) = self.carriers.get_mut(carried) {
                    carriers.remove(&Carrier::Loop { heat, nth });
                }
            }
        }
    }

    /// Takes the bodies that carry this function from where calls and loops find them.
    pub(super) fn take_carriers(&mut self, carried: StubId) -> Vec<Body> {
        let carriers = self.carriers.remove(&carried).unwrap_or_default();
        carriers.into_iter().flat_map(|carrier| self.take_carrier(carrier, carried)).collect()
    }

    fn take_carrier(&mut self, carrier: Carrier, carried: StubId) -> Vec<Body> {
        let carries = |body: &Body| body.carries.iter().any(|&(id, _)| id == carried);
        match carrier {
            Carrier::Loop { heat, nth } => {
                let Some(heat) = self.heats.get(&heat) else { return Vec::new() };
                heat.cool_loop(nth).into_iter().collect()
            }
            Carrier::Rows(key) => self.take_rows(key, carries).into_iter().collect(),
            Carrier::Function(function) => {
                let function = &mut self.functions[function.index()];
                let Some(first) = function.state.first() else { return Vec::new() };
                // What is there by now may be another body, which carries nothing of it.
                if carries(first) {
                    let version = function.state.version();
                    return function.replace(version);
                }
                if function.state.better().is_some_and(carries) {
                    if let Some(heat) = first.heat() {
                        heat.cool();
                    }
                    return function.go_back().into_iter().collect();
                }
                Vec::new()
            }
        }
    }
}
