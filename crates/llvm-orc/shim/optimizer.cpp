// Running and giving back an optimiser, whichever it is.

#include "optimizer.h"

#include "llvm-c/Core.h"

using llvm_orc::Optimizer;

extern "C" {

void llvm_orc_optimizer_run(Optimizer *Kept, LLVMModuleRef M) { Kept->run(*llvm::unwrap(M)); }

void llvm_orc_optimizer_dispose(Optimizer *Kept) { delete Kept; }

} // extern "C"
