// What is free in a range of addresses: pieces by place and by size. Knows numbers only, no memory.
//
// The smallest piece that is large enough is taken, of several the lowest; neighbours grow together when they are
// given back. Everything takes time logarithmic in the number of pieces.

#pragma once

#include "llvm/Support/MathExtras.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace llvm_orc {

class FreeRanges {
  // The length of each piece, by its first address.
  std::map<uint64_t, uint64_t> ByAddress;
  // The same, shortest first.
  std::set<std::pair<uint64_t, uint64_t>> BySize;

  void insert(uint64_t Start, uint64_t Length) {
    if (Length == 0)
      return;
    ByAddress.emplace(Start, Length);
    BySize.emplace(Length, Start);
  }

  void erase(uint64_t Start, uint64_t Length) {
    ByAddress.erase(Start);
    BySize.erase({Length, Start});
  }

public:
  // All pieces start and end at multiples of this many bytes, which is how compilers align functions.
  static constexpr uint64_t Unit = 16;

  // The bytes that a block of so many takes: whole units, at least one.
  static uint64_t rounded(uint64_t Length) { return Length ? llvm::alignTo(Length, Unit) : Unit; }

  // The length of the longest piece.
  uint64_t longest() const { return BySize.empty() ? 0 : BySize.rbegin()->first; }

  // Takes a rounded number of bytes at a multiple of a power of two.
  std::optional<uint64_t> take(uint64_t Length, uint64_t Alignment) {
    // Pieces start at units: whatever more is asked for may have to be skipped.
    uint64_t Padding = Alignment > Unit ? Alignment - Unit : 0;
    auto Found = BySize.lower_bound({Length + Padding, 0});
    if (Found == BySize.end())
      return std::nullopt;
    auto [Whole, Start] = *Found;
    erase(Start, Whole);
    uint64_t Address = llvm::alignTo(Start, Alignment);
    insert(Start, Address - Start);
    insert(Address + Length, Start + Whole - Address - Length);
    return Address;
  }

  // Gives back what was taken, or all of a fresh range.
  void put(uint64_t Start, uint64_t Length) {
    auto After = ByAddress.lower_bound(Start);
    if (After != ByAddress.begin()) {
      auto [Before, BeforeLength] = *std::prev(After);
      if (Before + BeforeLength == Start) {
        erase(Before, BeforeLength);
        Start = Before;
        Length += BeforeLength;
      }
    }
    After = ByAddress.lower_bound(Start + Length);
    if (After != ByAddress.end() && After->first == Start + Length) {
      auto [Next, NextLength] = *After;
      erase(Next, NextLength);
      Length += NextLength;
    }
    insert(Start, Length);
  }
};

} // namespace llvm_orc
