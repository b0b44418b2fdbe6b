// Slab allocator, see slab.h.
//
// After a fork, both processes keep the existing objects, and new objects of one are invisible to
// the other. But memory that the parent frees and reuses changes in the child, too: the child may
// run older code as long as the parent removes none of it.

#ifdef __linux__

#include "slab.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

using namespace llvm;

namespace llvm_orc {

namespace {

// Default size in bytes of each part of a slab. Only used pages cost memory. A small function takes
// about 200 bytes of code and 50 of constants. An object that does not fit gets a slab of its own
// size.
constexpr std::array<uint64_t, NumKinds> DefaultSizes = {4 << 20, 2 << 20, 2 << 20};

// Tells Valgrind, which does not see a write through the file, that code in this range has changed:
// the request `VG_USERREQ__DISCARD_TRANSLATIONS` of its `valgrind.h`. Elsewhere the instructions
// change nothing.
void codeHasChanged([[maybe_unused]] uint64_t Address, [[maybe_unused]] uint64_t End) {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  uint64_t Request[6] = {0x1002, Address, End - Address, 0, 0, 0};
  uint64_t Result = 0;
  __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
                   : "+d"(Result)
                   : "a"(Request)
                   : "cc", "memory");
#endif
}

// Traps when executed: `int3`, or zeros where they are an undefined instruction.
#if defined(__x86_64__) || defined(__i386__)
constexpr int TrapByte = 0xcc;
#else
constexpr int TrapByte = 0;
#endif

// Freed variables of at least this size are returned to the system, which also zeroes them.
constexpr uint64_t MinBytesToReturn = 1 << 16;

uint64_t pageSize() { return sys::Process::getPageSizeEstimate(); }

Error systemError(const char *What) {
  return createStringError(std::error_code(errno, std::generic_category()), "%s: %s", What, std::strerror(errno));
}

int createAnonymousFile() {
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

bool slabsAreSupported() {
  // The system ends the process when a file exceeds this limit.
  rlimit Limit;
  if (getrlimit(RLIMIT_FSIZE, &Limit) != 0 || Limit.rlim_cur != RLIM_INFINITY)
    return false;
  int Descriptor = createAnonymousFile();
  if (Descriptor < 0)
    return false;
  // Some systems forbid executable file mappings.
  uint64_t Size = pageSize();
  bool Supported = ftruncate(Descriptor, static_cast<off_t>(Size)) == 0;
  if (Supported) {
    void *Mapped = mmap(nullptr, Size, PROT_READ | PROT_EXEC, MAP_SHARED, Descriptor, 0);
    Supported = Mapped != MAP_FAILED;
    if (Supported)
      munmap(Mapped, Size);
  }
  close(Descriptor);
  return Supported;
}

Expected<std::unique_ptr<Slab>> Slab::map(std::shared_ptr<CodeFile> File, std::array<uint64_t, NumKinds> Sizes) {
  auto [CodeSize, ConstantsSize, VariablesSize] = Sizes;
  uint64_t Size = CodeSize + ConstantsSize + VariablesSize;
  // Whole pages, so that each offset is one of a page.
  std::optional<uint64_t> Free = File->Free.allocate(CodeSize + ConstantsSize, FreeRanges::Granularity);
  if (!Free) {
    errno = ENOMEM;
    return systemError("memory for code: offset");
  }
  uint64_t Offset = *Free;
  std::unique_ptr<Slab> Created(new Slab(File, Sizes));
  Created->Offset = Offset;
  Created->HasOffset = true;
  void *Base = mmap(nullptr, Size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (Base == MAP_FAILED)
    return systemError("memory for code: mmap");
  Created->Base = static_cast<char *>(Base);
  Created->Size = Size;
  int Fixed = MAP_SHARED | MAP_FIXED;
  if (mmap(Created->Base, CodeSize, PROT_READ | PROT_EXEC, Fixed, File->Descriptor, static_cast<off_t>(Offset)) ==
          MAP_FAILED ||
      mmap(Created->Base + CodeSize, ConstantsSize, PROT_READ, Fixed, File->Descriptor,
           static_cast<off_t>(Offset + CodeSize)) == MAP_FAILED)
    return systemError("memory for code: mmap");

  uint64_t Start = reinterpret_cast<uintptr_t>(Base);
  for (unsigned Kind = 0; Kind != NumKinds; Start += Sizes[Kind], ++Kind)
    Created->Free[Kind].free(Start, Sizes[Kind]);
  return Created;
}

Slab::~Slab() {
  if (Size)
    munmap(Base, Size);
  if (!HasOffset || !File->isOfThisProcess())
    return;
  uint64_t Length = Sizes[Code] + Sizes[Constants];
  // The hole needs no memory. A later slab gets its offsets.
  fallocate(File->Descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(Offset),
            static_cast<off_t>(Length));
  File->Free.free(Offset, Length);
  std::optional<uint64_t> End = File->Free.startOfLast();
  struct stat Status;
  if (End && *End <= Offset && fstat(File->Descriptor, &Status) == 0 && static_cast<uint64_t>(Status.st_size) > *End)
    // A file that cannot be cut stays longer than it needs to be.
    (void)!ftruncate(File->Descriptor, static_cast<off_t>(*End));
}

// Whether a write up to this offset keeps the limit on the size of files. The system ends a process
// that exceeds the limit, which may change at any time.
static bool isWithinFileLimit(uint64_t End) {
  rlimit Limit;
  return getrlimit(RLIMIT_FSIZE, &Limit) != 0 || Limit.rlim_cur == RLIM_INFINITY || End <= Limit.rlim_cur;
}

Error Slab::write(uint64_t Address, const char *Bytes, size_t Length) const {
  uint64_t End = Address + Length;
  off_t At = static_cast<off_t>(Offset + (Address - reinterpret_cast<uintptr_t>(Base)));
  if (!isWithinFileLimit(static_cast<uint64_t>(At) + Length)) {
    errno = EFBIG;
    return systemError("memory for code: pwrite");
  }
  while (Length != 0) {
    ssize_t Written = pwrite(File->Descriptor, Bytes, Length, At);
    if (Written < 0 && errno == EINTR)
      continue;
    if (Written <= 0)
      return systemError("memory for code: pwrite");
    Bytes += Written;
    At += Written;
    Length -= static_cast<size_t>(Written);
  }
  codeHasChanged(Address, End);
  return Error::success();
}

void Slab::clear(BlockKind Kind, uint64_t Address, uint64_t Length) const {
  if (Kind == Constants || !File->isOfThisProcess())
    return;
  if (Kind == Code) {
    char Bytes[4096];
    std::memset(Bytes, TrapByte, std::min<uint64_t>(Length, sizeof(Bytes)));
    for (uint64_t At = 0; At < Length; At += sizeof(Bytes))
      // These bytes of the file were written before and need no new memory. The write fails only if
      // the limit on the size of files was lowered since: then the bytes stay.
      consumeError(write(Address + At, Bytes, std::min<uint64_t>(Length - At, sizeof(Bytes))));
    return;
  }
  uint64_t End = Address + Length;
  uint64_t FirstPage = alignTo(Address, pageSize()), LastPage = alignDown(End, pageSize());
  char *Start = reinterpret_cast<char *>(Address);
  if (Length < MinBytesToReturn || madvise(reinterpret_cast<void *>(FirstPage), LastPage - FirstPage, MADV_DONTNEED) != 0) {
    std::memset(Start, 0, Length);
    return;
  }
  std::memset(Start, 0, FirstPage - Address);
  std::memset(reinterpret_cast<char *>(LastPage), 0, End - LastPage);
}

// After a fork, the parent owns the free ranges of existing slabs, so the child starts a new file.
Error Slabs::startFileAfterFork() {
  if (File && File->isOfThisProcess())
    return Error::success();
  int Descriptor = createAnonymousFile();
  if (Descriptor < 0)
    return systemError("memory for code: memfd_create");
  File = std::make_shared<CodeFile>(Descriptor, getpid());
  std::move(All.begin(), All.end(), std::back_inserter(Inherited));
  All.clear();
  LastEmptied = nullptr;
  return Error::success();
}

// Creates a slab that fits all requests.
Expected<Slab *> Slabs::grow(ArrayRef<BlockRequest> Requests) {
  std::array<uint64_t, NumKinds> Sizes = {0, 0, 0};
  for (const BlockRequest &Request : Requests)
    Sizes[Request.Kind] += FreeRanges::rounded(Request.Length) + Request.Alignment;
  for (unsigned Kind = 0; Kind != NumKinds; ++Kind)
    Sizes[Kind] = std::max(DefaultSizes[Kind], alignTo(Sizes[Kind], pageSize()));
  auto Created = Slab::map(File, Sizes);
  if (!Created)
    return Created.takeError();
  All.push_back(std::move(*Created));
  return All.back().get();
}

Expected<std::vector<Block>> Slabs::allocate(ArrayRef<BlockRequest> Requests) {
  std::lock_guard<std::mutex> Lock(Mutex);
  if (Error Failed = startFileAfterFork())
    return Failed;
  std::vector<Block> Blocks;
  auto AllocateFrom = [&](Slab &From) {
    for (const BlockRequest &Request : Requests) {
      uint64_t Length = FreeRanges::rounded(Request.Length);
      std::optional<uint64_t> Address;
      if (From.Free[Request.Kind].longest() >= Length)
        Address = From.Free[Request.Kind].allocate(Length, Request.Alignment);
      if (!Address) {
        for (const Block &B : Blocks)
          From.Free[B.Kind].free(B.Address, FreeRanges::rounded(B.Length));
        Blocks.clear();
        return false;
      }
      Blocks.push_back({&From, Request.Kind, *Address, Request.Length});
    }
    From.NumBlocks += Blocks.size();
    return true;
  };
  // The newest slab usually has the most free memory.
  for (const std::unique_ptr<Slab> &S : reverse(All))
    if (AllocateFrom(*S))
      return Blocks;
  auto New = grow(Requests);
  if (!New)
    return New.takeError();
  if (!AllocateFrom(**New))
    return createStringError(inconvertibleErrorCode(), "memory for code: a new slab is too small");
  return Blocks;
}

void Slabs::free(ArrayRef<Block> Blocks) {
  if (Blocks.empty() || !Blocks.front().Owner->File->isOfThisProcess())
    return;
  // Cleared before another thread can allocate the memory.
  for (const Block &B : Blocks)
    B.Owner->clear(B.Kind, B.Address, B.Length);
  std::lock_guard<std::mutex> Lock(Mutex);
  Slab *Owner = Blocks.front().Owner; // all blocks of an object are in one slab
  for (const Block &B : Blocks)
    Owner->Free[B.Kind].free(B.Address, FreeRanges::rounded(B.Length));
  Owner->NumBlocks -= Blocks.size();
  if (Owner->NumBlocks != 0)
    return;
  // Keeps one empty slab, so that adding and removing one function does not map and unmap a slab
  // each time.
  bool HasOther = LastEmptied && LastEmptied != Owner && LastEmptied->NumBlocks == 0;
  if (!HasOther && Owner->Sizes == DefaultSizes) {
    LastEmptied = Owner;
    return;
  }
  if (LastEmptied == Owner)
    LastEmptied = nullptr;
  erase_if(All, [Owner](const std::unique_ptr<Slab> &S) { return S.get() == Owner; });
}

} // namespace llvm_orc

#endif // __linux__
