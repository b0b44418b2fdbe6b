// Free ranges of an address range: a best-fit allocator over numbers. Never accesses memory.
//
// Allocates from the smallest range that is large enough, and from the lowest address among equals.
// Freed ranges merge with their neighbors. All operations take logarithmic time.

#pragma once

#include "llvm/Support/MathExtras.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace llvm_orc {

class FreeRanges {
  // Length of each free range, by its start.
  std::map<uint64_t, uint64_t> ByAddress;
  // The same ranges by length, then by start.
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
  // Ranges start and end at multiples of this many bytes, the usual alignment of functions.
  static constexpr uint64_t Granularity = 16;

  // The length to allocate for a block: a multiple of the granularity, and not zero.
  static uint64_t rounded(uint64_t Length) { return Length ? llvm::alignTo(Length, Granularity) : Granularity; }

  // Length of the longest free range.
  uint64_t longest() const { return BySize.empty() ? 0 : BySize.rbegin()->first; }

  // Where the last free range starts, if there is one.
  std::optional<uint64_t> startOfLast() const {
    return ByAddress.empty() ? std::nullopt : std::optional(ByAddress.rbegin()->first);
  }

  // Allocates a rounded length at a multiple of a power of two.
  std::optional<uint64_t> allocate(uint64_t Length, uint64_t Alignment) {
    // Ranges are aligned to the granularity. A larger alignment may skip bytes at the start.
    uint64_t Padding = Alignment > Granularity ? Alignment - Granularity : 0;
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

  // Frees an allocated range, or adds a new one.
  void free(uint64_t Start, uint64_t Length) {
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
