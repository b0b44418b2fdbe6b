//! What is said when there is no nightly toolchain.

use std::io::{Error, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::missing;

#[test]
fn what_is_missing_is_said_with_how_to_get_it() {
    assert_eq!(missing(&Ok(ExitStatus::from_raw(0))), None);
    let no_toolchain = missing(&Ok(ExitStatus::from_raw(1 << 8)));
    assert!(no_toolchain.is_some_and(|message| message.contains("rustup toolchain install nightly")));
    let no_rustup = missing(&Err(Error::from(ErrorKind::NotFound)));
    assert!(no_rustup.is_some_and(|message| message.contains("https://rustup.rs")));
}
