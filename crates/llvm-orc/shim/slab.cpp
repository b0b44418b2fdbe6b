// See slab.h. After a fork, what is there stays where it is in both processes, and what either adds is its own. But
// room that the parent gives back and uses again changes in the child, too: a child that goes on running code from
// before is safe as long as the parent removes none of it.

#ifdef __linux__

#include "slab.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

using namespace llvm;

namespace llvm_orc {

namespace {

// The size in bytes of each part of a slab, of which only what is used costs memory: small functions take some 200
// bytes of code and 50 of constants. What does not fit gets a slab of its own size.
constexpr std::array<uint64_t, NumUses> UsualSizes = {4 << 20, 2 << 20, 2 << 20};

// Executed, this traps: `int3`, or an undefined instruction where zeros are one.
#if defined(__x86_64__) || defined(__i386__)
constexpr int Trap = 0xcc;
#else
constexpr int Trap = 0;
#endif

// Variables of so many bytes are given back to the system when they are freed, which zeroes them as well.
constexpr uint64_t ManyBytes = 1 << 16;

uint64_t pageSize() { return sys::Process::getPageSizeEstimate(); }

Error systemError(const char *What) {
  return createStringError(std::error_code(errno, std::generic_category()), "%s: %s", What, std::strerror(errno));
}

int makeFile() {
#ifdef SYS_memfd_create
  return static_cast<int>(syscall(SYS_memfd_create, "llvm-orc", 1u /* MFD_CLOEXEC */));
#else
  errno = ENOSYS;
  return -1;
#endif
}

} // namespace

CodeFile::~CodeFile() { close(Descriptor); }

bool CodeFile::isOfThisProcess() const { return Process == getpid(); }

bool slabsCanBeMade() {
  // A file beyond this limit is not refused but ends the process.
  rlimit Limit;
  if (getrlimit(RLIMIT_FSIZE, &Limit) != 0 || Limit.rlim_cur != RLIM_INFINITY)
    return false;
  int Descriptor = makeFile();
  if (Descriptor < 0)
    return false;
  // Whether the system lets a file be executed is seen by trying.
  uint64_t Size = pageSize();
  bool Works = ftruncate(Descriptor, static_cast<off_t>(Size)) == 0;
  if (Works) {
    void *Mapped = mmap(nullptr, Size, PROT_READ | PROT_EXEC, MAP_SHARED, Descriptor, 0);
    Works = Mapped != MAP_FAILED;
    if (Works)
      munmap(Mapped, Size);
  }
  close(Descriptor);
  return Works;
}

Expected<std::unique_ptr<Slab>> Slab::map(std::shared_ptr<CodeFile> File, std::array<uint64_t, NumUses> Sizes) {
  auto [CodeSize, ConstantsSize, VariablesSize] = Sizes;
  uint64_t Size = CodeSize + ConstantsSize + VariablesSize;
  uint64_t Offset = File->End;
  if (ftruncate(File->Descriptor, static_cast<off_t>(Offset + CodeSize + ConstantsSize)) != 0)
    return systemError("memory for code");
  File->End += CodeSize + ConstantsSize;

  std::unique_ptr<Slab> Made(new Slab(File, Sizes));
  Made->Offset = Offset;
  void *Base = mmap(nullptr, Size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (Base == MAP_FAILED)
    return systemError("memory for code");
  Made->Base = static_cast<char *>(Base);
  Made->Size = Size;
  int Fixed = MAP_SHARED | MAP_FIXED;
  if (mmap(Made->Base, CodeSize, PROT_READ | PROT_EXEC, Fixed, File->Descriptor, static_cast<off_t>(Offset)) ==
          MAP_FAILED ||
      mmap(Made->Base + CodeSize, ConstantsSize, PROT_READ, Fixed, File->Descriptor,
           static_cast<off_t>(Offset + CodeSize)) == MAP_FAILED)
    return systemError("memory for code");

  uint64_t Start = reinterpret_cast<uintptr_t>(Base);
  for (unsigned For = 0; For != NumUses; Start += Sizes[For], ++For)
    Made->Free[For].put(Start, Sizes[For]);
  return Made;
}

Slab::~Slab() {
  if (Size)
    munmap(Base, Size);
  // The hole that is left in the file costs nothing and is not used again.
  if (File->isOfThisProcess())
    fallocate(File->Descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(Offset),
              static_cast<off_t>(Sizes[Code] + Sizes[Constants]));
}

Error Slab::write(uint64_t Address, const char *Bytes, size_t Length) const {
  off_t At = static_cast<off_t>(Offset + (Address - reinterpret_cast<uintptr_t>(Base)));
  while (Length != 0) {
    ssize_t Written = pwrite(File->Descriptor, Bytes, Length, At);
    if (Written < 0 && errno == EINTR)
      continue;
    if (Written <= 0)
      return systemError("memory for code");
    Bytes += Written;
    At += Written;
    Length -= static_cast<size_t>(Written);
  }
  return Error::success();
}

void Slab::clear(Use For, uint64_t Address, uint64_t Length) const {
  if (For == Constants || !File->isOfThisProcess())
    return;
  if (For == Code) {
    char Bytes[4096];
    std::memset(Bytes, Trap, std::min<uint64_t>(Length, sizeof(Bytes)));
    for (uint64_t At = 0; At < Length; At += sizeof(Bytes))
      // What was written before can be written again, without more memory.
      consumeError(write(Address + At, Bytes, std::min<uint64_t>(Length - At, sizeof(Bytes))));
    return;
  }
  uint64_t End = Address + Length;
  uint64_t FirstPage = alignTo(Address, pageSize()), LastPage = alignDown(End, pageSize());
  char *Start = reinterpret_cast<char *>(Address);
  if (Length < ManyBytes || madvise(reinterpret_cast<void *>(FirstPage), LastPage - FirstPage, MADV_DONTNEED) != 0) {
    std::memset(Start, 0, Length);
    return;
  }
  std::memset(Start, 0, FirstPage - Address);
  std::memset(reinterpret_cast<char *>(LastPage), 0, End - LastPage);
}

// What is free in the parent's slabs is the parent's.
Error Slabs::leaveParent() {
  if (File && File->isOfThisProcess())
    return Error::success();
  int Descriptor = makeFile();
  if (Descriptor < 0)
    return systemError("memory for code");
  File = std::make_shared<CodeFile>(Descriptor, getpid());
  std::move(All.begin(), All.end(), std::back_inserter(Inherited));
  All.clear();
  Spare = nullptr;
  return Error::success();
}

// A slab with room for all that is asked.
Expected<Slab *> Slabs::grow(ArrayRef<Wanted> Asked) {
  std::array<uint64_t, NumUses> Sizes = {0, 0, 0};
  for (const Wanted &One : Asked)
    Sizes[One.For] += FreeRanges::rounded(One.Length) + One.Alignment;
  for (unsigned For = 0; For != NumUses; ++For)
    Sizes[For] = std::max(UsualSizes[For], alignTo(Sizes[For], pageSize()));
  auto Made = Slab::map(File, Sizes);
  if (!Made)
    return Made.takeError();
  All.push_back(std::move(*Made));
  return All.back().get();
}

Expected<std::vector<Block>> Slabs::take(ArrayRef<Wanted> Asked) {
  std::lock_guard<std::mutex> Lock(Mutex);
  if (Error Failed = leaveParent())
    return Failed;
  std::vector<Block> Taken;
  auto TakeFrom = [&](Slab &From) {
    for (const Wanted &One : Asked) {
      uint64_t Length = FreeRanges::rounded(One.Length);
      std::optional<uint64_t> Address;
      if (From.Free[One.For].longest() >= Length)
        Address = From.Free[One.For].take(Length, One.Alignment);
      if (!Address) {
        for (const Block &Given : Taken)
          From.Free[Given.For].put(Given.Address, FreeRanges::rounded(Given.Length));
        Taken.clear();
        return false;
      }
      Taken.push_back({&From, One.For, *Address, One.Length});
    }
    From.NumBlocks += Taken.size();
    return true;
  };
  // The newest slab is the one with most room.
  for (const std::unique_ptr<Slab> &Known : reverse(All))
    if (TakeFrom(*Known))
      return Taken;
  auto Fresh = grow(Asked);
  if (!Fresh)
    return Fresh.takeError();
  if (!TakeFrom(**Fresh))
    return createStringError(inconvertibleErrorCode(), "memory for code: a fresh slab has too little room");
  return Taken;
}

void Slabs::put(ArrayRef<Block> Blocks) {
  if (Blocks.empty() || !Blocks.front().In->File->isOfThisProcess())
    return;
  // Before anybody else can be given the room.
  for (const Block &Given : Blocks)
    Given.In->clear(Given.For, Given.Address, Given.Length);
  std::lock_guard<std::mutex> Lock(Mutex);
  Slab *In = Blocks.front().In; // all blocks of an object lie in one
  for (const Block &Given : Blocks)
    In->Free[Given.For].put(Given.Address, FreeRanges::rounded(Given.Length));
  In->NumBlocks -= Blocks.size();
  if (In->NumBlocks != 0)
    return;
  // One slab that holds nothing is kept, so that a function which comes and goes does not map and unmap one each time.
  bool HasOther = Spare && Spare != In && Spare->NumBlocks == 0;
  if (!HasOther && In->Sizes == UsualSizes) {
    Spare = In;
    return;
  }
  if (Spare == In)
    Spare = nullptr;
  erase_if(All, [In](const std::unique_ptr<Slab> &Known) { return Known.get() == In; });
}

} // namespace llvm_orc

#endif // __linux__
