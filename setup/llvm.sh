# shellcheck shell=sh
# What building Kaleidoscope needs besides this folder: Rust 1.95, LLVM 22 with its static
# libraries, a C++ compiler. ./demo and ./check source it in the project's folder. It installs what
# is missing by Debian's apt; elsewhere it says in one message what to install. With everything
# there it takes milliseconds and needs no network.

llvm_packages="llvm-22-dev libpolly-22-dev libzstd-dev zlib1g-dev libffi-dev libxml2-dev libz3-dev g++"
rust_needed=1.95

say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

give_up() {
    printf '%s\n' "$@" >&2
    exit 2
}

require_rust() {
    if ! command -v cargo >/dev/null 2>&1; then
        # A shell that was open while rustup ran does not see it yet.
        if [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
            PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
            export PATH
        else
            give_up "Rust is missing: Kaleidoscope needs version $rust_needed or newer. Install it with" \
                "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" \
                "and start $0 again."
        fi
    fi
    rust_found=$(rustc --version | cut -d ' ' -f 2)
    lowest=$(printf '%s\n%s\n' "$rust_needed" "$rust_found" | sort -V | head -n 1)
    if [ "$lowest" != "$rust_needed" ]; then
        give_up "Rust $rust_found is too old: Kaleidoscope needs version $rust_needed or newer." \
            "With rustup: rustup update stable"
    fi
}

# Prints the packages that dpkg does not know as installed.
missing_packages() {
    for package in $llvm_packages; do
        case $(dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

require_llvm() {
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        if command -v llvm-config-22 >/dev/null 2>&1 || [ -n "${LLVM_SYS_221_PREFIX:-}" ]; then
            return
        fi
        give_up "LLVM 22 is missing, and this is no system with apt, so $0 cannot install it. Install" \
            "  - LLVM 22 with headers and static libraries (llvm-config-22 on the PATH, or its folder in LLVM_SYS_221_PREFIX)," \
            "  - the development files of zstd, zlib, libffi, libxml2 and z3, and a C++ compiler," \
            "and start $0 again. On Debian 12 these are the packages" \
            "  $llvm_packages"
    fi

    missing=$(missing_packages)
    if [ -z "$missing" ]; then
        return
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1; then
        as_root="sudo"
    else
        give_up "Some packages are missing, and only root may install them. As root:" \
            "    apt-get update && apt-get install $missing" \
            "Then start $0 again."
    fi
    say "installing $missing"
    # shellcheck disable=SC2086 # `missing` is a list of words, and an empty `as_root` is to vanish
    if ! $as_root apt-get update -qq || ! $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        give_up "apt could not install $missing" \
            "LLVM 22 is in Debian 12's security suite: a line like" \
            "    deb http://deb.debian.org/debian-security bookworm-security main" \
            "must be among the sources of apt (/etc/apt/sources.list). Elsewhere https://apt.llvm.org has it."
    fi
}

require_rust
require_llvm
