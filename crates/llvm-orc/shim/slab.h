// Slabs: ranges of addresses in which many objects lie side by side, each of three mappings.
//
// Code and constants are mappings of a file without a name that can be read, and the code executed, and are never
// writable: what comes in is written to the file. So there is no moment and no address at which code could be
// changed by a stray store, and nothing stands still while a function is added to a page whose other functions are
// running. Variables are memory as usual. All of an object lies in one slab, near enough for 32-bit distances.

#pragma once

#include "free_ranges.h"

#include "llvm/Support/Error.h"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace llvm_orc {

// What a block of memory is for, and with it where in a slab it lies.
enum Use : unsigned { Code, Constants, Variables };
constexpr unsigned NumUses = 3;

// The file that code and constants are written to.
struct CodeFile {
  int Descriptor;
  // The process that may write it: a child that was forked shares it with its parent.
  pid_t Process;
  // Where the next slab starts.
  uint64_t End = 0;

  CodeFile(int Descriptor, pid_t Process) : Descriptor(Descriptor), Process(Process) {}
  CodeFile(const CodeFile &) = delete;
  ~CodeFile();
  bool isOfThisProcess() const;
};

// One slab: its mappings, and what is free in each.
class Slab {
  friend class Slabs;

  std::shared_ptr<CodeFile> File;
  uint64_t Offset; // in the file
  char *Base;
  uint64_t Size = 0;
  std::array<uint64_t, NumUses> Sizes;
  std::array<FreeRanges, NumUses> Free;
  uint64_t NumBlocks = 0;

  Slab(std::shared_ptr<CodeFile> File, std::array<uint64_t, NumUses> Sizes) : File(std::move(File)), Sizes(Sizes) {}

public:
  static llvm::Expected<std::unique_ptr<Slab>> map(std::shared_ptr<CodeFile> File,
                                                   std::array<uint64_t, NumUses> Sizes);
  Slab(const Slab &) = delete;
  ~Slab();

  // Puts bytes where a block of code or constants is.
  llvm::Error write(uint64_t Address, const char *Bytes, size_t Length) const;
  // Overwrites a block that is given back: code with what traps, variables with zeros.
  void clear(Use For, uint64_t Address, uint64_t Length) const;
};

// A block of a slab.
struct Block {
  Slab *In = nullptr;
  Use For = Code;
  uint64_t Address = 0;
  uint64_t Length = 0; // as it was asked for
};

// What is asked for.
struct Wanted {
  Use For;
  uint64_t Length;
  uint64_t Alignment;
};

// All slabs of a session. May be used from several threads at once.
class Slabs {
  std::mutex Mutex;
  std::shared_ptr<CodeFile> File;
  std::vector<std::unique_ptr<Slab>> All;
  // Slabs of the process that this one was forked from. They stay as they are.
  std::vector<std::unique_ptr<Slab>> Inherited;
  // The slab that was kept when it held nothing any more. It may hold something again.
  Slab *Spare = nullptr;

  llvm::Error leaveParent();
  llvm::Expected<Slab *> grow(llvm::ArrayRef<Wanted> Asked);

public:
  // Blocks for all that is asked, in one slab. Variables are zero; code and constants are to be written.
  llvm::Expected<std::vector<Block>> take(llvm::ArrayRef<Wanted> Asked);
  void put(llvm::ArrayRef<Block> Blocks);
};

// Whether the system can have such memory.
bool slabsCanBeMade();

} // namespace llvm_orc
