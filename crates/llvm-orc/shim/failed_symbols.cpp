// Names of the symbols that failed, which LLVM's C API tells only as text.

#include "failed_symbols.h"

#include "llvm-c/Error.h"
#include "llvm-c/Orc.h"
#include "llvm/Support/Error.h"

#include <string>
#include <utility>
#include <vector>

using namespace llvm;
using namespace llvm::orc;

namespace {

using Receive = void (*)(void *, LLVMOrcJITDylibRef, const char *, size_t);

// Noted and taken within one report of an error.
thread_local std::vector<std::pair<JITDylib *, std::string>> FailedLink;

void pass(Receive Receiver, void *Context, JITDylib *Dylib, StringRef Name) {
  Receiver(Context, reinterpret_cast<LLVMOrcJITDylibRef>(Dylib), Name.data(), Name.size());
}

} // namespace

void llvm_orc::noteFailedLink(MaterializationResponsibility &Failed) {
  FailedLink.clear();
  for (const auto &Symbol : Failed.getSymbols())
    FailedLink.emplace_back(&Failed.getTargetJITDylib(), (*Symbol.first).str());
}

extern "C" void llvm_orc_take_failed_link(Receive Receiver, void *Context) {
  for (const auto &[Dylib, Name] : std::exchange(FailedLink, {}))
    pass(Receiver, Context, Dylib, Name);
}

// Passes the symbols of an error, which stays owned by the caller.
extern "C" void llvm_orc_failed_symbols(LLVMErrorRef Raw, Receive Receiver, void *Context) {
  const auto *Found = reinterpret_cast<ErrorInfoBase *>(Raw);
  if (!Found->isA<FailedToMaterialize>())
    return;
  for (const auto &[Dylib, Names] : static_cast<const FailedToMaterialize *>(Found)->getSymbols())
    for (const SymbolStringPtr &Name : Names)
      pass(Receiver, Context, Dylib, *Name);
}
