//! Gives the shared library its SONAME, under which programs that link with it find it when they
//! run. It changes with the interface: before 1.0 with the minor version, then with the major one.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let [major, minor] = ["MAJOR", "MINOR"]
        .map(|part| env::var(format!("CARGO_PKG_VERSION_{part}")).expect("cargo sets it for build scripts"));
    let interface = if major == "0" { format!("0.{minor}") } else { major };
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libkaleidoscope.so.{interface}");
}
