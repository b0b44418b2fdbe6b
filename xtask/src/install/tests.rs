//! Options, names and templates of the chore `install`.

use super::{Names, Options, built_files, filled, version};
use std::path::PathBuf;

#[test]
fn options_are_read() {
    let parsed = Options::parse(&["--prefix", "/opt/k", "--llvm", "--profile", "dev"]).unwrap();
    assert_eq!(parsed.prefix, PathBuf::from("/opt/k"));
    assert_eq!((parsed.profile.as_str(), parsed.with_llvm), ("dev", true));
    let parsed = Options::parse(&["--prefix", "here"]).unwrap();
    assert_eq!((parsed.profile.as_str(), parsed.with_llvm), ("release", false));
    assert_eq!(Options::parse(&[]).unwrap_err(), "`install` needs `--prefix FOLDER`");
    assert_eq!(Options::parse(&["--prefix"]).unwrap_err(), "`--prefix` lacks its value");
    assert_eq!(Options::parse(&["--destdir", "/"]).unwrap_err(), "`install` has no option `--destdir`");
}

/// The SONAME changes with the interface: before 1.0 with the minor version.
#[test]
fn names_follow_the_version() {
    let names = Names::new("0.1.7").unwrap();
    assert_eq!(
        (names.soname.as_str(), names.shared_file.as_str()),
        ("libkaleidoscope.so.0.1", "libkaleidoscope.so.0.1.7")
    );
    let names = Names::new("2.3.4").unwrap();
    assert_eq!((names.soname.as_str(), names.interface.as_str()), ("libkaleidoscope.so.2", "2"));
    assert!(Names::new("1.0").is_err());
    assert!(Names::new(&version().unwrap()).is_ok());
}

#[test]
fn templates_are_filled() {
    let names = Names::new("0.1.7").unwrap();
    let text = filled(
        "@PREFIX@ @VERSION@ ^@INTERFACE_PATTERN@ @SONAME@ @SHARED_FILE@ @STATIC_LIBRARIES@",
        &names,
        "/p",
        "-lm",
    );
    assert_eq!(text, r"/p 0.1.7 ^0\\.1 libkaleidoscope.so.0.1 libkaleidoscope.so.0.1.7 -lm");
}

#[test]
fn files_are_found_in_the_messages_of_cargo() {
    let messages = r#"{"target":{"name":"libc"},"filenames":["/t/liblibc.rlib"]}
{"target":{"name":"kaleidoscope_capi"},"filenames":["/t/libkaleidoscope_capi.so"]}
{"reason":"build-finished","success":true}"#;
    assert_eq!(built_files(messages), [PathBuf::from("/t/libkaleidoscope_capi.so")]);
}
