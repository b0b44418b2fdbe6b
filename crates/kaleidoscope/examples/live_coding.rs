//! Live coding: a loop calls `step` all the time, while another thread replaces what is behind it.
//!
//! Run by `cargo run -p kaleidoscope --example live_coding`. It is the loop of a game, of a sound or of a simulation: it never
//! stops, never waits for a compiler, and each turn runs wholly one version of what it calls.

use kaleidoscope::{Engine, Variable};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What the person types, one after the other: where the ball is drawn to.
const EDITS: [&str; 4] = [
    "def force(x v) 1 - x;",
    "def force(x v) 5 - x - v / 2;",
    "def force(x v) oops(x);",
    "def force(x v) -3 - x - v;",
];

/// What the loop and the person share, but for the engine.
#[derive(Default)]
struct Stage {
    n_steps: AtomicU64,
    n_failed: AtomicU64,
    is_over: AtomicBool,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let engine = Engine::new()?;
    engine.prelude();
    let (x, v) = (Variable::new(0.0), Variable::new(0.0));
    engine.bind("x", &x)?;
    engine.bind("v", &v)?;
    engine.run(
        "def force(x v) 0;
         def step(dt) v = v + force(x, v) * dt : x = x + v * dt;",
    );

    let stage = Stage::default();
    thread::scope(|scope| {
        let playing = scope.spawn(|| stage.play(&engine));
        for edit in EDITS {
            // Each edit takes effect with the next call of `force`, on whatever thread, though `step` was compiled long ago.
            let outcome = engine.run(edit);
            stage.wait_for_steps(10_000);
            println!("{edit}  {} warnings; the ball is at {:.3}", outcome.diagnostics().count(), x.get());
        }
        stage.is_over.store(true, Ordering::Relaxed);
        playing.join().map_err(|_| "the loop has panicked")?
    })?;
    let (n_steps, n_failed) = (stage.n_steps.into_inner(), stage.n_failed.into_inner());
    println!("{n_steps} steps, {n_failed} of them failed");
    assert!(n_failed >= 9_999 && n_steps - n_failed >= 29_999);
    Ok(())
}

impl Stage {
    /// Steps until it is over; a step that fails ends early, and the next one is made.
    fn play(&self, engine: &Engine) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let step = engine.function::<(f64,)>("step")?;
        while !self.is_over.load(Ordering::Relaxed) {
            if step.call((0.001,)).is_err() {
                self.n_failed.fetch_add(1, Ordering::Relaxed);
            }
            self.n_steps.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits until so many steps more have been made.
    fn wait_for_steps(&self, n: u64) {
        let enough = self.n_steps.load(Ordering::Relaxed) + n;
        while self.n_steps.load(Ordering::Relaxed) < enough {
            thread::yield_now();
        }
    }
}
