//! Requests that come before an item begins, and after it has ended.

use kaleidoscope::{Engine, Mode};

use super::Stop;
use crate::console::Console;

#[test]
fn a_request_before_an_item_begins_stops_the_item() {
    for mode in [Mode::Tiered, Mode::Baseline, Mode::Off] {
        let engine = Engine::builder().mode(mode).build().unwrap();
        let stop = Stop::new(Console::new(), engine.interrupter());
        stop.request();
        let outcome = engine.run("for i = 0, 1 in 0;");
        let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str()).collect();
        assert_eq!(codes, ["KLS3005"], "{mode:?}");
        assert!(stop.take() && !stop.take());
        assert_eq!(engine.run("for i = 0, i < 1000 in 0; 7;").values().last(), Some(7.0), "{mode:?}");
    }
}
