//! Live coding: a loop calls `step` again and again, while another thread redefines a function that
//! `step` calls.
//!
//! Run by `cargo run -p kaleidoscope --example live_coding`. The loop could be that of a game, a
//! sound or a simulation. It never stops and never waits for the optimizing compiler.

use kaleidoscope::{Engine, Variable};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// The edits that a user types: each one changes where the ball is drawn to.
const EDITS: [&str; 4] = [
    "def force(x v) 1 - x;",
    "def force(x v) 5 - x - v / 2;",
    "def force(x v) oops(x);",
    "def force(x v) -3 - x - v;",
];

/// State that the loop and the user's thread share.
#[derive(Default)]
struct Stage {
    n_steps: AtomicU64,
    n_failed: AtomicU64,
    is_over: AtomicBool,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let engine = Engine::new()?;
    engine.prelude()?;
    let (x, v) = (Variable::new(0.0), Variable::new(0.0));
    engine.bind("x", &x)?;
    engine.bind("v", &v)?;
    engine
        .run(
            "def force(x v) 0;
         def step(dt) v = v + force(x, v) * dt : x = x + v * dt;",
        )
        .ok()?;

    let stage = Stage::default();
    thread::scope(|scope| {
        let playing = scope.spawn(|| stage.play(&engine));
        for edit in EDITS {
            // Each edit takes effect at the next call of `force`, on any thread, although `step`
            // was compiled before.
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
    /// Calls `step` until the end. After a failed step, the loop continues.
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

    /// Waits for this many more steps.
    fn wait_for_steps(&self, n: u64) {
        let enough = self.n_steps.load(Ordering::Relaxed) + n;
        while self.n_steps.load(Ordering::Relaxed) < enough {
            thread::yield_now();
        }
    }
}
