// Runs and deletes an optimizer of any class.

#include "optimizer.h"

#include "llvm-c/Core.h"

using llvm_orc::Optimizer;

extern "C" {

void llvm_orc_optimizer_run(Optimizer *O, LLVMModuleRef M) { O->run(*llvm::unwrap(M)); }

void llvm_orc_optimizer_dispose(Optimizer *O) { delete O; }

} // extern "C"
