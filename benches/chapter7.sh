#!/bin/sh
# Builds the chapter 7 program of LLVM's tutorial, a peer of the benchmarks, from Debian's package
# llvm-22-examples. The program is built to start fast: -O3, static LLVM, no unneeded library, and
# no exported symbols except those that its programs call.
#   benches/chapter7.sh OUTPUT
set -eu
out=${1:?"usage: benches/chapter7.sh OUTPUT"}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")

say() { printf 'chapter7: %s\n' "$1" >&2; }
for tool in clang++-22 llvm-config-22 apt-get dpkg; do
    command -v "$tool" >/dev/null || { say "$tool is missing; on Debian: apt-get install clang-22 llvm-22-dev"; exit 1; }
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
say "downloading llvm-22-examples"
apt-get download llvm-22-examples >/dev/null 2>&1 || { say "apt-get download llvm-22-examples failed; try apt-get update"; exit 1; }
dpkg -x llvm-22-examples*.deb package
examples=package/usr/share/doc/llvm-22-examples/examples/Kaleidoscope
mkdir -p Chapter7 include
gunzip -c "$examples/Chapter7/toy.cpp.gz" >Chapter7/toy.cpp
# The package lacks the folder of a header that the program includes. Chapter 1 of BuildingAJIT has
# the same header.
cp "$examples/BuildingAJIT/Chapter1/KaleidoscopeJIT.h" include/

say "building (about a minute)"
# shellcheck disable=SC2046 # the output of llvm-config must be split into words
(cd Chapter7 && clang++-22 -O3 toy.cpp \
    -Wl,--as-needed -Wl,--gc-sections -Wl,--export-dynamic-symbol=putchard -Wl,--export-dynamic-symbol=printd \
    $(llvm-config-22 --cxxflags --ldflags --link-static \
        --libs orcjit native passes core support instcombine scalaropts transformutils --system-libs) \
    -o "$out")
say "built $out"
