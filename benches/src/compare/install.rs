//! Installs missing contestants from the package registry.

use std::process::{Command, Stdio};

/// The programs, and the Debian packages that have them.
const PROGRAMS: &[(&str, &str)] =
    &[("luajit", "luajit"), ("node", "nodejs"), ("gcc", "gcc"), ("clang-22", "clang-22")];

/// Installs missing programs, and reports it. The comparison runs without those that cannot be
/// installed.
pub fn install_missing() {
    let missing: Vec<&(&str, &str)> =
        PROGRAMS.iter().filter(|(program, _)| version(program).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    println!("installing: apt-get install --yes --no-install-recommends {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let _ = apt(&["update"])
        && apt(&[&["install", "--yes", "--no-install-recommends"], packages.as_slice()].concat());
    for (program, package) in missing {
        if version(program).is_none() {
            println!(
                "{program} is missing and goes unmeasured: there is no apt-get, no network, or no right to install {package}"
            );
        }
    }
}

/// The first line of the program's version text, if the program is installed.
pub fn version(program: &str) -> Option<String> {
    let flag = if program == "luajit" { "-v" } else { "--version" };
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}
