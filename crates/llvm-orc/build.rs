//! Builds the feature `shim`: compiles the C++ files against the LLVM that llvm-sys found.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim");
    // Documentation needs no shim, and docs.rs has no LLVM.
    if std::env::var_os("CARGO_FEATURE_SHIM").is_none() || std::env::var_os("DOCS_RS").is_some() {
        return;
    }
    // The requested LLVM version.
    let version = if std::env::var_os("CARGO_FEATURE_LLVM23_1").is_some() { 23 } else { 22 };
    let Some(config) = std::env::var_os(format!("DEP_LLVM_{version}_CONFIG_PATH")) else {
        // llvm-sys also reports the error.
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
        build.define("LLVM_ORC_STATIC_RUNTIME", None);
    }
    // One file per part that a program may not need. The linker takes only the files that are used.
    for file in [
        "codegen",
        "failed_symbols",
        "features",
        "function_passes",
        "lazy_calls",
        "observed_links",
        "optimizer",
        "out_of_memory",
        "process_exit",
        "running_links",
        "session",
        "shared_memory",
        "slab",
        "slab_memory",
        "text_pipeline",
    ] {
        build.file(format!("shim/{file}.cpp"));
    }
    build.cpp(true).warnings(false).opt_level(2);
    // LLVM's own libraries are built without assertions, too.
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

/// Links LLVM's dependencies statically where the compiler has an archive. These archives come
/// before the shared libraries that llvm-sys names, so the linker does not need the latter.
fn link_statically() {
    let compiler = cc::Build::new().cpp(true).get_compiler();
    for library in ["stdc++", "z", "zstd"] {
        let file = format!("lib{library}.a");
        let found = Command::new(compiler.path()).arg(format!("-print-file-name={file}")).output();
        let path =
            found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        // A compiler without the file prints the bare name.
        if let Some(directory) = Path::new(&path).parent().filter(|directory| directory.is_absolute()) {
            println!("cargo::rustc-link-search=native={}", directory.display());
            println!("cargo::rustc-link-lib=static:-bundle={library}");
        }
    }
}

/// The flags that LLVM was built with: same exceptions, type information and C++ standard.
fn cxxflags(config: &Path) -> String {
    match Command::new(config).arg("--cxxflags").output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            println!("cargo::error=llvm-orc: `{} --cxxflags` failed: {stderr}", config.display());
            String::new()
        }
        Err(error) => {
            println!("cargo::error=llvm-orc: cannot run {}: {error}", config.display());
            String::new()
        }
    }
}
