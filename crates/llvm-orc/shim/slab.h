// Slabs: address ranges that many objects share. A slab has three mappings: code, constants,
// variables.
//
// Code and constants are mappings of an anonymous file, readable or executable but never writable.
// The allocator writes to the file instead. Therefore no stray store can change code, and other
// functions of a page keep running while a function is added. Variables are ordinary memory. All
// blocks of one object are in one slab, so 32-bit distances reach them.

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

// Kind of a memory block, which is also its part of the slab.
enum BlockKind : unsigned { Code, Constants, Variables };
constexpr unsigned NumKinds = 3;

// Anonymous file for code and constants. It ends where the last block ends: writing extends it, and
// it is cut when its last slab is unmapped.
struct CodeFile {
  static constexpr uint64_t MaxOffset = uint64_t(1) << 46;
  int Descriptor;
  // The only process that may write. A forked child shares the file with its parent.
  pid_t Process;
  // Offsets that belong to no slab.
  FreeRanges Free;

  CodeFile(int Descriptor, pid_t Process) : Descriptor(Descriptor), Process(Process) { Free.free(0, MaxOffset); }
  CodeFile(const CodeFile &) = delete;
  ~CodeFile();
  bool isOfThisProcess() const;
};

// One slab: its mappings and their free ranges.
class Slab {
  friend class Slabs;

  std::shared_ptr<CodeFile> File;
  uint64_t Offset; // in the file
  bool HasOffset = false;
  char *Base;
  uint64_t Size = 0;
  std::array<uint64_t, NumKinds> Sizes;
  std::array<FreeRanges, NumKinds> Free;
  uint64_t NumBlocks = 0;

  Slab(std::shared_ptr<CodeFile> File, std::array<uint64_t, NumKinds> Sizes) : File(std::move(File)), Sizes(Sizes) {}

public:
  static llvm::Expected<std::unique_ptr<Slab>> map(std::shared_ptr<CodeFile> File,
                                                   std::array<uint64_t, NumKinds> Sizes);
  Slab(const Slab &) = delete;
  ~Slab();

  // Writes to a block of code or constants.
  llvm::Error write(uint64_t Address, const char *Bytes, size_t Length) const;
  // Overwrites a freed block: code with traps, variables with zeros.
  void clear(BlockKind Kind, uint64_t Address, uint64_t Length) const;
};

// Allocated block of a slab.
struct Block {
  Slab *Owner = nullptr;
  BlockKind Kind = Code;
  uint64_t Address = 0;
  uint64_t Length = 0; // as requested
};

// Size and kind of a block to allocate.
struct BlockRequest {
  BlockKind Kind;
  uint64_t Length;
  uint64_t Alignment;
};

// All slabs of a session. Thread-safe.
class Slabs {
  std::mutex Mutex;
  std::shared_ptr<CodeFile> File;
  std::vector<std::unique_ptr<Slab>> All;
  // Slabs of the process that forked this one. Never changed.
  std::vector<std::unique_ptr<Slab>> Inherited;
  // The slab that was empty when it was last freed. It may contain blocks again.
  Slab *LastEmptied = nullptr;

  llvm::Error startFileAfterFork();
  llvm::Expected<Slab *> grow(llvm::ArrayRef<BlockRequest> Requests);

public:
  // Allocates all blocks in one slab. Variables are zero. The caller must write code and constants.
  llvm::Expected<std::vector<Block>> allocate(llvm::ArrayRef<BlockRequest> Requests);
  void free(llvm::ArrayRef<Block> Blocks);
};

// Whether this system supports slabs.
bool slabsAreSupported();

} // namespace llvm_orc
