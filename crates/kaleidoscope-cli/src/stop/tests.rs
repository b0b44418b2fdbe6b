//! Requests that come before an item begins, and after it has ended.

use kaleidoscope::{Engine, Mode};

use super::Stop;
use crate::Exit;
use crate::console::Console;

#[test]
fn a_request_before_an_item_begins_stops_the_item() {
    for mode in [Mode::Tiered, Mode::Baseline, Mode::Off] {
        let engine = Engine::builder().mode(mode).build().unwrap();
        let stop = Stop::new(Console::new(), engine.interrupter(), None);
        stop.request(Exit::Interrupted);
        let outcome = engine.run("for i = 0, 1 in 0;");
        let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str()).collect();
        assert_eq!(codes, ["KLS3005"], "{mode:?}");
        assert_eq!([stop.take(), stop.take()], [Some(Exit::Interrupted), None]);
        assert_eq!(engine.run("for i = 0, i < 1000 in 0; 7;").values().last(), Some(7.0), "{mode:?}");
    }
}
