// The code generator, kept between modules, which LLVM's C API makes anew for each.
//
// Making its passes is a large part of compiling a small function. They can be run again: `llc -compile-twice` tests
// it, and each resets itself when a module is done.
//
// No exception and no panic passes through here: LLVM is built without exceptions, and nothing here calls back into
// Rust but the diagnostic handler, which does not panic.

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

// One pass manager, from selecting instructions to writing the object file.
class ReusableCodegen {
  SmallVector<char, 0> Buffer;
  raw_svector_ostream Stream{Buffer};
  legacy::PassManager Passes;

public:
  static std::unique_ptr<ReusableCodegen> create(TargetMachine &Machine) {
    auto Kept = std::make_unique<ReusableCodegen>();
    if (Machine.addPassesToEmitFile(Kept->Passes, Kept->Stream, nullptr, CodeGenFileType::ObjectFile))
      return nullptr;
    return Kept;
  }

  StringRef run(Module &M) {
    Buffer.clear();
    Passes.run(M);
    return Stream.str();
  }
};

} // namespace

extern "C" {

// Null if the machine cannot write object files.
ReusableCodegen *llvm_orc_codegen_create(LLVMTargetMachineRef Machine) {
  return ReusableCodegen::create(*reinterpret_cast<TargetMachine *>(Machine)).release();
}

// The bytes stay as they are until the next run.
void llvm_orc_codegen_run(ReusableCodegen *Codegen, LLVMModuleRef M, const char **Bytes, size_t *Length) {
  StringRef Object = Codegen->run(*unwrap(M));
  *Bytes = Object.data();
  *Length = Object.size();
}

void llvm_orc_codegen_dispose(ReusableCodegen *Codegen) { delete Codegen; }

} // extern "C"
