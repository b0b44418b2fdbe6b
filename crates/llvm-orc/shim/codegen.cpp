// Code generator that is reused for module after module. LLVM's C API creates one per module.
//
// Creating the passes is a large part of compiling a small function. They can run more than once,
// because each pass resets itself after a module: `llc -compile-twice` tests that.
//
// No exception or panic passes through this file. LLVM is built without exceptions, and the only
// callback into Rust is the diagnostics handler, which does not panic.

#include "llvm-c/TargetMachine.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

using namespace llvm;

namespace {

// Pass manager for all passes from instruction selection to writing the object file.
class ReusableCodegen {
  SmallVector<char, 0> Buffer;
  raw_svector_ostream Stream{Buffer};
  legacy::PassManager Passes;

public:
  static std::unique_ptr<ReusableCodegen> create(TargetMachine &Machine) {
    auto Created = std::make_unique<ReusableCodegen>();
    if (Machine.addPassesToEmitFile(Created->Passes, Created->Stream, nullptr, CodeGenFileType::ObjectFile))
      return nullptr;
    return Created;
  }

  StringRef run(Module &M) {
    Buffer.clear();
    Passes.run(M);
    return Stream.str();
  }
};

} // namespace

extern "C" {

// Returns null if the target machine cannot write object files.
ReusableCodegen *llvm_orc_codegen_create(LLVMTargetMachineRef Machine) {
  return ReusableCodegen::create(*reinterpret_cast<TargetMachine *>(Machine)).release();
}

// The bytes are valid until the next run.
void llvm_orc_codegen_run(ReusableCodegen *Codegen, LLVMModuleRef M, const char **Bytes, size_t *Length) {
  StringRef Object = Codegen->run(*unwrap(M));
  *Bytes = Object.data();
  *Length = Object.size();
}

void llvm_orc_codegen_dispose(ReusableCodegen *Codegen) { delete Codegen; }

} // extern "C"
