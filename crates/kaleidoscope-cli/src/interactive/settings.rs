//! `:set`, `:events`, `:stats` and `:prelude`.

use super::Talk;
use crate::statistics;
use kaleidoscope::CodeCache;
use std::time::Duration;

/// The settings, as `:set` without an argument lists them.
const SETTINGS: &str = concat!(
    "  :set timeout SECONDS   stop an item that runs longer (`off`: no limit)\n",
    "  :set digits N          print values with N digits behind the point (`all`: as many as they have)\n",
);

/// `:set NAME VALUE`
pub(super) fn set(talk: &mut Talk<'_>, argument: &str) {
    let (name, value) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    match (name, value.trim()) {
        ("", _) => talk.print(SETTINGS),
        ("timeout", "off") => set_timeout(talk, Duration::MAX),
        ("timeout", value) => {
            match value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
                Some(limit) => set_timeout(talk, limit),
                None => talk.refuse("`:set timeout` takes a number of seconds, or `off`"),
            }
        }
        ("digits", "all") => talk.session.console.set_digits(None),
        ("digits", value) => match value.parse() {
            Ok(n @ 0..=300) => talk.session.console.set_digits(Some(n)),
            _ => talk.refuse("`:set digits` takes a number of digits up to 300, or `all`"),
        },
        (name, _) => talk.refuse(&format!("there is no setting `{name}`; `:set` lists the settings")),
    }
}

fn set_timeout(talk: &mut Talk<'_>, limit: Duration) {
    talk.session.engine = talk.session.engine.within(limit);
    talk.script.set_time_limit(limit);
}

/// `:events on|off`
pub(super) fn events(talk: &mut Talk<'_>, argument: &str) {
    match argument {
        "on" => talk.observers.life.set_prints(true),
        "off" => talk.observers.life.set_prints(false),
        _ => talk.refuse("`:events` takes `on` or `off`"),
    }
}

/// `:stats`
pub(super) fn stats(talk: &mut Talk<'_>, _: &str) {
    let cache = talk.session.cache.as_ref().map(CodeCache::totals);
    talk.print(&statistics::as_text(&talk.observers.statistics.totals(), cache));
}

/// `:prelude`
pub(super) fn prelude(talk: &mut Talk<'_>, _: &str) {
    if talk.session.options.prelude.has_chapter() {
        return talk.refuse("`:prelude` cannot be used in a session with `--level`");
    }
    match talk.session.engine.prelude() {
        Ok(()) => talk.print("the operators and names of the prelude are defined\n"),
        Err(error) => talk.refuse(&error.to_string()),
    }
}
