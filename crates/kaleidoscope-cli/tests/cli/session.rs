//! The interactive session at a pseudo-terminal: what is typed, and what the screen shows.

use crate::terminal::{CTRL_C, CTRL_D, CTRL_R, TAB, Terminal, UP};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

/// The lines of a pasted text: each has a value of its own.
fn lines() -> Vec<String> {
    (0..200).map(|n| format!("1000+{n}")).collect()
}

/// Which of the values were printed, each on a line of its own.
fn n_values(terminal: &Terminal) -> usize {
    let text = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    (1000..1200).filter(|value| text.contains(&format!("\n{value}\r\n"))).count()
}

#[test]
fn lines_that_are_typed_ahead_all_run() {
    let mut terminal = Terminal::open(&[]);
    terminal.press(&(lines().join("\r") + "\r"));
    terminal.wait_for("the last value", |screen| screen.contains("\n1199\n"));
    assert_eq!(n_values(&terminal), 200);
    assert_eq!(terminal.leave(CTRL_D), Some(0));
}

#[test]
fn a_pasted_text_runs_line_by_line() {
    let mut terminal = Terminal::open(&[]);
    let pasted = lines().join("\n");
    // The brackets that a terminal puts around what is pasted.
    terminal.press(&format!("\x1b[200~{pasted}\x1b[201~\r"));
    terminal.wait_for("the last value", |screen| screen.contains("\n1199\n"));
    assert_eq!(n_values(&terminal), 200);
    assert_eq!(terminal.leave(CTRL_D), Some(0));
}

#[test]
fn what_is_typed_while_something_runs_is_not_lost() {
    let mut terminal = Terminal::open(&["--jit", "off"]);
    terminal.press("for i = 0, i < 10000000 in i\r");
    terminal.press("4000+321\rdef f(x)\r  x + 1\rf(41)\r");
    let screen = terminal.wait_for_text("\n42\n");
    assert!(screen.contains("\n4321\n"), "{screen}");
}

#[test]
fn control_c_drops_an_entry_and_stops_what_runs() {
    for mode in ["off", "baseline", "lazy", "tiered"] {
        let mut terminal = Terminal::open(&["--jit", mode]);
        terminal.press("1 + 2 +");
        terminal.wait_for("the entry", |screen| screen.contains("1 + 2 +"));
        terminal.press(CTRL_C);
        // Ctrl-C also drops what is typed right behind it.
        terminal.wait_for("the next prompt", |screen| screen.trim_end().ends_with("\nready>"));
        terminal.enter("5 + 6", "\n11\n");
        terminal.press("for i = 0, 1 in i\r");
        terminal.wait_until_it_runs();
        terminal.press(CTRL_C);
        terminal.wait_for_text("KLS3005");
        terminal.enter("2 * 21", "\n42\n");
        // An item was stopped: that is an error.
        assert_eq!(terminal.leave(CTRL_D), Some(1));
    }
}

#[test]
fn what_takes_long_shows_its_time() {
    for mode in ["off", "tiered"] {
        let mut terminal = Terminal::open(&["--jit", mode]);
        terminal.press("for i = 0, 1 in i\r");
        terminal.wait_for("the time", |screen| screen.contains(" 1 s; Ctrl-C stops it"));
        terminal.wait_for("the next second", |screen| screen.contains(" 2 s; Ctrl-C stops it"));
        terminal.press(CTRL_C);
        let screen = terminal.wait_for_text("KLS3005");
        assert!(!screen.contains("stops it"), "{screen}");
        // Output takes the place of the time, which comes back when the program is silent.
        terminal.enter("def slow(n) for i = 1, i < n in i", "ready>");
        terminal.press("printd(4711) + slow(1e15)\r");
        let screen = terminal.wait_for("output and time", |screen| screen.contains("s; Ctrl-C stops it"));
        assert!(screen.contains("\n4711\n"), "{screen}");
        terminal.press(CTRL_C);
        terminal.wait_for_text("KLS3005");
    }
}

#[test]
fn the_time_does_not_replace_what_is_on_its_line() {
    let mut terminal = Terminal::open(&["--timeout", "2"]);
    // The line of the program stays open for two seconds.
    let screen = terminal.enter("putchard(65) + for i = 0, 1 in i", "KLS3006");
    assert!(screen.contains("\nA"), "{screen}");
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(!bytes.contains("stops it"), "{bytes}");
}

#[test]
fn no_time_is_shown_while_a_number_is_typed() {
    let mut terminal = Terminal::open(&[]);
    terminal.press("readd() + readd()\r");
    terminal.wait_until_it_runs();
    terminal.press("4");
    // Long enough for the time to be shown: a shorter pause would only check less.
    thread::park_timeout(Duration::from_millis(1500));
    terminal.press("1 1\r");
    let screen = terminal.wait_for_text("\n42\n");
    assert!(screen.contains("\n41 1\n"), "{screen}");
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(!bytes.contains("stops it"), "{bytes}");
}

#[test]
fn an_entry_has_several_lines_until_it_is_complete() {
    let mut terminal = Terminal::open(&[]);
    terminal.press("def clip(x)\r  if x < 0 then 0\r  else x\r");
    terminal.enter("clip(0 - 5) + clip(7)", "\n7\n");
}

#[test]
fn the_history_is_kept_and_searched() {
    let state = tempfile::tempdir().unwrap();
    let open = || Terminal::open_with(&[], state.path(), &[]);
    let mut terminal = open();
    terminal.enter("def twice(x) 2 * x", "twice");
    terminal.enter("twice(8)", "\n16\n");
    terminal.enter("1 + 1", "\n2\n");
    assert_eq!(terminal.leave(CTRL_D), Some(0));
    let mode = |path: &str| fs::metadata(state.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("kaleidoscope"), mode("kaleidoscope/history")), (0o700, 0o600));

    let mut terminal = open();
    // The arrow finds the entry that begins with what was typed.
    terminal.press(&format!("def{UP}"));
    terminal.wait_for("the definition", |screen| screen.contains("ready> def twice(x) 2 * x"));
    terminal.press("\r");
    terminal.press(&format!("{CTRL_R}ce(8"));
    terminal.wait_for("the search", |screen| screen.contains("twice(8)"));
    terminal.press("\r");
    terminal.wait_for_text("\n16\n");
}

#[test]
fn a_word_is_completed_and_parameters_are_shown() {
    let mut terminal = Terminal::open(&[]);
    terminal.enter("def perimeter(width height) 2 * (width + height)", "perimeter");
    terminal.press(&format!("peri{TAB}"));
    terminal.wait_for("the parameters", |screen| screen.contains("perimeter(width, height)"));
    terminal.press("3,");
    terminal.wait_for("the second parameter", |screen| screen.contains("perimeter(3,height)"));
    terminal.press("4)\r");
    terminal.wait_for_text("\n14\n");
    terminal.press(&format!(":rese{TAB}\r"));
    terminal.wait_for_text("all definitions of the session are gone");
}

#[test]
fn every_command_does_what_the_help_says() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.kal");
    let saved = saved.to_str().unwrap();
    // An editor that changes the text without a person.
    let editor = folder.path().join("editor");
    fs::write(&editor, "#!/bin/sh\nsed -i 's/2 [*]/3 */' \"$1\"\n").unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let mut terminal = Terminal::open_with(
        &["--jit", "lazy"],
        folder.path(),
        &[("EDITOR", editor.as_os_str()), ("VISUAL", OsStr::new(editor.as_os_str()))],
    );
    let save = format!(":save {saved}");
    let load = format!(":load {saved}");
    let entries = [
        ("# Twice as much.", "ready>"),
        ("def grow(x) 2 * x", "ready>"),
        (":doc grow", "grow(x)\nTwice as much."),
        (":list", "grow(x)                   version 1, not called"),
        ("grow(4)", "\n8\n"),
        ("it + 1", "\n9\n"),
        ("rate = 0.25", "\n0.25\n"),
        ("rate * 4", "\n1\n"),
        (":list grow", "version 1, lazy\ndef grow(x) 2 * x"),
        (":list rates", "there is no function `rates`"),
        (":why grow", "lazy code"),
        (":ast grow", "(* 2 x)"),
        (":ir grow", "multiply"),
        (":llvm grow", "fmul double"),
        (":asm grow", "xmm0"),
        (":ir 1 + rate", "add"),
        (":time grow(3)", "the median of"),
        (":time printd(40321)", "\n40321\nvalue   0\n"),
        ("printd(40322)", "\n40322\n0\n"),
        (":", "`:` begins a command; `:help` lists the commands"),
        ("sin = 3", "`sin(…)` still calls the function"),
        (":plot x * x, x = -2..2", "└──"),
        (":stats", "expressions"),
        (":events on", "ready>"),
        ("def other(x) grow(x)", "other (version 1): defined"),
        (":events off", "ready>"),
        (save.as_str(), "the functions and variables of the session are in"),
        ("rate = 17", "\n17\n"),
        (":edit grow", "ready>"),
        ("grow(100)", "\n300\n"),
        (":undo", "undid `grow` (as before)"),
        ("grow(1000)", "\n2000\n"),
        (":undo 9", "undid `grow` (not defined any more), `other` (not defined any more)"),
        (":undo", "there is no definition to undo"),
        (load.as_str(), "ready>"),
        (":doc grow", "Twice as much."),
        ("rate * 100", "\n25\n"),
        ("other(10000)", "\n20000\n"),
        (":reset", "all definitions of the session are gone"),
        ("other(7)", "KLS2002"),
        (":undo", "`other` (as before)"),
        ("other(7)", "\n14\n"),
        (":reset", "all definitions of the session are gone"),
        (":load nothing.kal", "no such file"),
        (":prelude", "the operators and names of the prelude are defined"),
        ("max(3, 50001) > 2", "\n1\n"),
        (":set", "\n  :set timeout SECONDS"),
        (":set digits 2", "ready>"),
        ("1 / 3", "\n0.33\n"),
        (":set digits all", "ready>"),
        (":set timeout 0.1", "ready>"),
        ("for i = 0, 1 in i", "KLS3006"),
        (":set theme red", "there is no setting `theme`"),
        (":lits", "there is no command `:lits`; there is `:list`"),
        (":help undo", "undoes the definitions of the last N entries"),
        (":help", "Tab completes"),
    ];
    for (entry, text) in entries {
        terminal.enter(entry, text);
    }
    let text = fs::read_to_string(saved).unwrap();
    assert_eq!(
        text,
        "# variable: --arg rate=0.25\n# variable: --arg sin=3\n\n# Twice as much.\ndef grow(x) 2 * x;\n\ndef other(x) grow(x);\n"
    );
    assert_eq!(terminal.leave(":quit\r"), Some(1));
}

#[test]
fn a_failed_assignment_makes_no_variable() {
    let mut terminal = Terminal::open(&[]);
    terminal.enter("def f(x) f(x) + 1", "ready>");
    terminal.enter("x = f(1)", "KLS3004");
    terminal.enter("x", "there is no variable `x`");
    let screen = terminal.enter(":list", "f(x)");
    assert!(!screen.contains("  x "), "{screen}");
    terminal.enter("x = 20 + 1", "\n21\n");
    terminal.enter("2 * x", "\n42\n");
}

#[test]
fn a_chapter_has_no_assignment_and_no_prelude() {
    let mut terminal = Terminal::open(&["--level", "2"]);
    terminal.enter("x = 5", "assignment is part of the language from chapter 7 on");
    terminal.enter("x", "there is no variable `x`");
    terminal.enter(":prelude", "error: `:prelude` cannot be used in a session with `--level`");
    terminal.enter(":list", "nothing is defined yet");
}

#[test]
fn settings_keep_the_numbers_of_lines() {
    let mut terminal = Terminal::open(&[]);
    terminal.enter("def broken(x) y", "<terminal>:1:15");
    terminal.enter(":set timeout 100", "ready>");
    terminal.enter("broken(1)", "its definition at <terminal>:1 failed");
    terminal.enter("z", "<terminal>:3:1");
}

#[test]
fn control_characters_of_a_program_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("titles.kal");
    // A sequence that sets the title of the window, in a comment.
    fs::write(&file, "# \x1b]0;taken\x07\ndef f(x) x # \x1b]0;taken\x07\n + 1;\n$\x1b]0;taken\x07;\n")
        .unwrap();
    let mut terminal = Terminal::open(&["--keep-going"]);
    terminal.enter(&format!(":load {}", file.display()), "ready>");
    for entry in [":doc f", ":list f", ":ast f", ":ir f", ":why f"] {
        terminal.enter(entry, "f");
    }
    terminal.enter("1 + 1", "\n2\n");
    let shown = terminal.bytes();
    assert!(!shown.windows(4).any(|part| part == b"\x1b]0;"), "{}", String::from_utf8_lossy(&shown));
}
