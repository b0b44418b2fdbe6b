// Trampolines of lazy reexports that tell which function failed and why.
//
// LLVM's own trampolines call one fixed function after any failure, and report the reason without
// the name of the function that was called. These ask the program which function to call.

#include "llvm-c/Error.h"
#include "llvm-c/Orc.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/IndirectionUtils.h"
#include "llvm/ExecutionEngine/Orc/LazyReexports.h"
#include "llvm/ExecutionEngine/Orc/OrcABISupport.h"
#include "llvm/Support/CBindingWrapping.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>

using namespace llvm;
using namespace llvm::orc;

namespace {

// Returns the address of the function to call. Owns the error.
using OnFailure = uint64_t (*)(void *Context, LLVMOrcJITDylibRef Dylib, const char *DylibName, const char *Name,
                               size_t Length, LLVMErrorRef Reason);

class Trampolines : public LazyCallThroughManager {
  ExecutionSession &Session;
  OnFailure Failed;
  void *Context;
  std::unique_ptr<TrampolinePool> Pool;

  ExecutorAddr fail(JITDylib *Dylib, StringRef Name, Error Reason) {
    return ExecutorAddr(Failed(Context, reinterpret_cast<LLVMOrcJITDylibRef>(Dylib),
                               Dylib ? Dylib->getName().c_str() : "", Name.data(), Name.size(),
                               wrap(std::move(Reason))));
  }

  // As LLVM's `resolveTrampolineLandingAddress`, except for failures.
  void resolve(ExecutorAddr Trampoline, NotifyLandingResolvedFunction Resolved) {
    auto Entry = findReexport(Trampoline);
    if (!Entry)
      return Resolved(fail(nullptr, "", Entry.takeError()));
    JITDylib *Dylib = Entry->SourceJD;
    SymbolStringPtr Name = Entry->SymbolName;
    Session.lookup(
        LookupKind::Static, makeJITDylibSearchOrder(Dylib, JITDylibLookupFlags::MatchAllSymbols),
        SymbolLookupSet({Name}), SymbolState::Ready,
        [this, Dylib, Name, Trampoline, Resolved = std::move(Resolved)](Expected<SymbolMap> Found) mutable {
          if (!Found)
            return Resolved(fail(Dylib, *Name, Found.takeError()));
          ExecutorAddr Landing = Found->begin()->second.getAddress();
          if (Error Refused = notifyResolved(Trampoline, Landing))
            return Resolved(fail(Dylib, *Name, std::move(Refused)));
          Resolved(Landing);
        },
        NoDependenciesToRegister);
  }

  template <typename ABI> Error init() {
    auto Created = LocalTrampolinePool<ABI>::Create(
        [this](ExecutorAddr Trampoline, TrampolinePool::NotifyLandingResolvedFunction Resolved) {
          resolve(Trampoline, std::move(Resolved));
        });
    if (!Created)
      return Created.takeError();
    Pool = std::move(*Created);
    setTrampolinePool(*Pool);
    return Error::success();
  }

public:
  Trampolines(ExecutionSession &Session, OnFailure Failed, void *Context)
      : LazyCallThroughManager(Session, ExecutorAddr(), nullptr), Session(Session), Failed(Failed), Context(Context) {}

  Error init(const Triple &Target) {
    switch (Target.getArch()) {
    case Triple::aarch64:
    case Triple::aarch64_32:
      return init<OrcAArch64>();
    case Triple::loongarch64:
      return init<OrcLoongArch64>();
    case Triple::riscv64:
      return init<OrcRiscv64>();
    case Triple::x86_64:
      if (Target.isOSWindows())
        return init<OrcX86_64_Win32>();
      return init<OrcX86_64_SysV>();
    default:
      return createStringError("no trampolines for the architecture of " + Target.str());
    }
  }
};

} // namespace

// The result is for `LLVMOrcDisposeLazyCallThroughManager`.
extern "C" LLVMErrorRef llvm_orc_create_trampolines(const char *TripleText, LLVMOrcExecutionSessionRef Session,
                                                    OnFailure Failed, void *Context,
                                                    LLVMOrcLazyCallThroughManagerRef *Result) {
  auto Created = std::make_unique<Trampolines>(*reinterpret_cast<ExecutionSession *>(Session), Failed, Context);
  if (Error Refused = Created->init(Triple(TripleText)))
    return wrap(std::move(Refused));
  *Result = reinterpret_cast<LLVMOrcLazyCallThroughManagerRef>(static_cast<LazyCallThroughManager *>(Created.release()));
  return LLVMErrorSuccess;
}
