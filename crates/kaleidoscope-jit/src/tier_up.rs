//! Tier-up: optimized code for hot functions and loops, compiled in the background.
//!
//! ```text
//!  a counter trips ──► on_trip ──► tier_up_root ──► compile job … in the background … ──► install_optimized
//!                                                                                              │
//!  slot ──► baseline code         slot ──► optimized code, with callees inlined ◄──────────────┘
//!                 ▲                            │ a callee is redefined
//!                 └──────── invalidation ──────┘
//! ```
//! During the tier-up delay after the first trip, counters only reset ([`Core::in_delay`]).
//!
//! Compiled code may be out of date when it is done: a function that it inlined was redefined
//! meanwhile. Then it is dropped, and the request goes to the queue again.

use crate::call_graph::TierUpTarget;
use crate::code::CompiledCode;
use crate::core::{Core, SharedCore};
use crate::event::{CodeName, Event, Tier};
use crate::policy::{self, Advice, advise};
use crate::profile::{Counter, Profile, ProfiledCode};
use crate::table::{Dependent, Table};
use crate::tier_up_state::TierUpState;
use crate::trap::Trap;
use kaleidoscope_ir::compile::{CodeGenerator, CodeKind, CompileError};
use kaleidoscope_native::CodeAddress;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Core {
    /// A counter of baseline code tripped. Returns what the code needs to know: for an entry the
    /// address of optimized code to go to, for a loop 1 if OSR code exists, otherwise 0.
    pub(crate) fn on_trip(&self, profile: f64, counter: f64) -> Result<f64, Trap> {
        let Some(profile) = self.table().profiles.get(&(profile as u32)).cloned() else { return Ok(0.0) };
        let counter = Counter::of_report(counter);
        let trip = profile.on_report(counter);
        // Checked after the counter was set: whoever removes optimized code sets the counter again.
        let optimized = match counter {
            // Addresses are exact in a double: they have 47 bits.
            Counter::Entry => self.optimized(&profile).map(|address| address.get() as f64),
            Counter::Loop(nth) => profile.has_osr_code(nth).then_some(1.0),
        };
        if let Some(optimized) = optimized {
            return Ok(optimized);
        }
        let Some(trip) = trip else { return Ok(0.0) };
        if self.in_delay(&profile) {
            return Ok(0.0);
        }
        let Some(advice) = advise(trip, self.is_callable(&profile)) else { return Ok(0.0) };
        let target = match (advice, counter) {
            // OSR code of the loop is pending, and will take over.
            (_, Counter::Loop(nth)) if profile.tier_up_state(CodeKind::Osr(nth)) != TierUpState::Idle => None,
            (Advice::Loop, Counter::Loop(nth)) => Some(TierUpTarget { profile, kind: CodeKind::Osr(nth) }),
            (Advice::Function | Advice::Loop, _) => self.tier_up_root(&profile, counter),
        };
        if let Some(target) = target
            && target.profile.request_tier_up(target.kind)
        {
            let code = CodeName::of(&target.profile.unit);
            let emitted = self.emit(|| Event::Hot { code, osr_loop: target.kind.osr_loop() });
            self.submit_tier_up(target);
            emitted?;
        }
        Ok(0.0)
    }

    /// Whether the tier-up delay is still running, now that this code is hot. Then its counters
    /// reset; at the end of the delay all counters reset, so older code is not mistaken for hotter
    /// code.
    fn in_delay(&self, profile: &Profile) -> bool {
        let delay = self.settings.thresholds.delay;
        if delay.is_zero() || self.delay_has_ended.load(Ordering::Relaxed) {
            return false;
        }
        if self.first_trip.get_or_init(Instant::now).elapsed() < delay {
            profile.reset_idle();
        } else if !self.delay_has_ended.swap(true, Ordering::Relaxed) {
            self.table().profiles.values().for_each(|profile| profile.reset_idle());
        }
        true
    }

    /// Whether calls may still reach the version that this baseline code was compiled from.
    fn is_callable(&self, profile: &Profile) -> bool {
        profile.unit.id.is_some_and(|id| self.table().version(id) == profile.unit.version)
    }

    /// The optimized code of the version that this baseline code was compiled from, if calls go
    /// there.
    fn optimized(&self, profile: &Profile) -> Option<CodeAddress> {
        let table = self.table();
        let optimized = table.entry(profile.unit.id?).state.optimized()?;
        (optimized.code.info.version() == profile.unit.version).then(|| optimized.code.address())
    }

    /// Submits a compile job. Does not wait for it.
    pub(crate) fn submit_tier_up(&self, target: TierUpTarget) {
        let (Some(core), Some(queue)) = (self.shared(), &self.compile_queue) else { return };
        let mut job = TierUpJob { core, target, is_done: false };
        // Without compile threads, baseline code has to do.
        drop(queue.submit(move |generator| {
            let compiled = job.compile(generator);
            job.is_done = true;
            job.finish(compiled);
        }));
    }

    /// Installs optimized code in the slot or OSR cell. Code that is out of date is dropped
    /// without an event. The request stays open then: its target was hot when the compile job
    /// began, and a counter would have to prove that again.
    fn install_optimized(&self, target: &TierUpTarget, code: CompiledCode) -> Result<(), Trap> {
        let (info, dependencies) = (code.info.clone(), code.dependencies.clone());
        let installed = self.table().install_optimized(&target.profile, code);
        match installed {
            Ok(()) => {
                self.note_hot(target, &dependencies);
                return self.emit_compiled(&info);
            }
            Err(NotInstalled::Stale(_)) => self.submit_tier_up(target.clone()),
            Err(NotInstalled::Unwanted(_)) => reset(target),
        }
        Ok(())
    }
}

/// Why optimized code was not installed. The code is dropped when no lock is held.
enum NotInstalled {
    /// A function that it depends on was redefined while it was compiled.
    Stale(#[expect(dead_code, reason = "dropped")] Box<ProfiledCode>),
    /// Nothing runs that could enter it, or another job was faster.
    Unwanted(#[expect(dead_code, reason = "dropped")] Box<ProfiledCode>),
}

/// Resets the target's counters: it may tier up again when they trip.
fn reset(target: &TierUpTarget) {
    match target.kind {
        CodeKind::Function => target.profile.reset_function(),
        CodeKind::Osr(nth) => target.profile.reset_loop(nth),
        CodeKind::Kernel(..) => {}
    }
}

/// A job of the optimizing tier. If it never runs, or panics, its target stays in the baseline
/// tier.
struct TierUpJob {
    core: SharedCore,
    target: TierUpTarget,
    is_done: bool,
}

impl Drop for TierUpJob {
    fn drop(&mut self) {
        if !self.is_done {
            self.give_up();
        }
    }
}

impl TierUpJob {
    /// Compiles the target. Returns nothing if it was redefined.
    ///
    /// The code's inlinees are looked up now, when the job runs. Whether they are still current is
    /// checked when the code is installed.
    fn compile(
        &self,
        generator: Result<&mut dyn CodeGenerator, CompileError>,
    ) -> Result<Option<CompiledCode>, Trap> {
        let Self { core, target, .. } = self;
        let root = &target.profile.unit;
        let failed = |reason| Trap::Compile { code: CodeName::of(root), reason };
        let generator = generator.map_err(failed)?;
        let tier = Tier::Optimized;
        let compiled =
            core.compile_optimized(root, target.kind, policy::INLINING, tier, generator, |_| ())?;
        Ok(compiled.map(|(code, _)| code))
    }

    /// Installs the code, or emits why there is none. Observer panics are ignored here: no
    /// evaluation is waiting for the result.
    fn finish(&self, compiled: Result<Option<CompiledCode>, Trap>) {
        match compiled {
            Ok(Some(code)) => drop(self.core.install_optimized(&self.target, code)),
            Ok(None) => reset(&self.target),
            Err(trap) => {
                self.give_up();
                let code = CodeName::of(&self.target.profile.unit);
                let reason = match trap {
                    Trap::Compile { reason, .. } => reason.to_string(),
                    trap => trap.to_string(),
                };
                drop(self.core.emit(|| Event::CompileFailed { code, reason }));
            }
        }
    }

    /// Ends the tier-up for good: it would fail again. The functions that the code would have
    /// inlined count from now on.
    fn give_up(&self) {
        self.target.profile.finish_tier_up(self.target.kind);
        for callee in self.target.profile.callees() {
            self.core.count_entries(callee);
        }
    }
}

impl Table {
    fn install_optimized(&mut self, profile: &Arc<Profile>, code: CompiledCode) -> Result<(), NotInstalled> {
        let is_alive = self.profiles.get(&profile.number()).is_some_and(|known| Arc::ptr_eq(known, profile));
        let unwanted = |code: CompiledCode| NotInstalled::Unwanted(Box::new(code.into()));
        if !is_alive {
            return Err(unwanted(code));
        }
        if !self.is_current(&code) {
            return Err(NotInstalled::Stale(Box::new(code.into())));
        }
        let dependencies = code.dependencies.clone();
        let dependent = match (code.kind(), code.info.function) {
            (CodeKind::Osr(nth), _) if profile.has_osr_code(nth) => return Err(unwanted(code)),
            (CodeKind::Osr(nth), _) => {
                profile.finish_tier_up(code.kind());
                profile.install_loop(nth, code);
                Dependent::Loop { profile: profile.number(), nth }
            }
            (CodeKind::Function, Some(function)) => {
                profile.finish_tier_up(code.kind());
                let installed = self.entry_mut(function).install_optimized(Box::new(code.into()));
                installed.map_err(NotInstalled::Unwanted)?;
                Dependent::Function(function)
            }
            (CodeKind::Function, None) | (CodeKind::Kernel(..), _) => return Err(unwanted(code)),
        };
        self.note_dependent(dependent, &dependencies);
        Ok(())
    }
}
