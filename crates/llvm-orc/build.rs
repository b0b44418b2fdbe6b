//! Builds the feature `shim`: a few C++ files, against the LLVM that llvm-sys found.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim");
    // A documentation build needs no code, and docs.rs has no LLVM.
    if std::env::var_os("CARGO_FEATURE_SHIM").is_none() || std::env::var_os("DOCS_RS").is_some() {
        return;
    }
    // The version of LLVM that is asked for.
    let version = if std::env::var_os("CARGO_FEATURE_LLVM23_1").is_some() { 23 } else { 22 };
    let Some(config) = std::env::var_os(format!("DEP_LLVM_{version}_CONFIG_PATH")) else {
        // llvm-sys says in its own words that it found no LLVM.
        println!(
            "cargo::warning=llvm-orc: no llvm-config of LLVM {version} found; on Debian: apt install llvm-{version}-dev"
        );
        return;
    };
    let flags = cxxflags(Path::new(&config));
    let mut build = cc::Build::new();
    if std::env::var_os("CARGO_FEATURE_STATIC_RUNTIME").is_some() {
        link_statically();
        build.cpp_link_stdlib(None);
    }
    // One file for each thing a program may do without: the linker takes those it refers to.
    for file in [
        "codegen",
        "features",
        "function_passes",
        "optimizer",
        "session",
        "slab",
        "slab_memory",
        "text_pipeline",
    ] {
        build.file(format!("shim/{file}.cpp"));
    }
    build.cpp(true).warnings(false).opt_level(2);
    // As LLVM's own libraries: an assertion would end the process where they go on.
    build.define("NDEBUG", None);
    for flag in flags.split_whitespace() {
        match flag.strip_prefix("-I") {
            Some(directory) => build.flag("-isystem").flag(directory),
            None => build.flag(flag),
        };
    }
    if let Err(error) = build.try_compile("llvm_orc_shim") {
        println!(
            "cargo::error=llvm-orc: building shim/*.cpp failed: it needs a C++ compiler (on Debian: apt install \
             g++) and LLVM's headers (llvm-{version}-dev), or turn the feature `shim` off: {error}"
        );
    }
}

/// Links what LLVM stands on into the program, where the compiler has it as an archive. Named here, the archives come before the
/// shared libraries that llvm-sys names, and leave them nothing to do.
fn link_statically() {
    let compiler = cc::Build::new().cpp(true).get_compiler();
    for library in ["stdc++", "z", "zstd"] {
        let file = format!("lib{library}.a");
        let found = Command::new(compiler.path()).arg(format!("-print-file-name={file}")).output();
        let path =
            found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        // A compiler that has no such file answers with the bare name.
        if let Some(directory) = Path::new(&path).parent().filter(|directory| directory.is_absolute()) {
            println!("cargo::rustc-link-search=native={}", directory.display());
            println!("cargo::rustc-link-lib=static:-bundle={library}");
        }
    }
}

/// The flags LLVM itself was built with: the same exceptions, type information and standard.
fn cxxflags(config: &Path) -> String {
    match Command::new(config).arg("--cxxflags").output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            println!("cargo::error=llvm-orc: `{} --cxxflags` failed: {said}", config.display());
            String::new()
        }
        Err(error) => {
            println!("cargo::error=llvm-orc: cannot run {}: {error}", config.display());
            String::new()
        }
    }
}
