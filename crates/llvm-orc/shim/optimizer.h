// Base class of optimizers, which are reused for module after module.
//
// text_pipeline.cpp and function_passes.cpp implement it in files of their own, so a program links
// only what it uses: text_pipeline.cpp needs LLVM's PassBuilder, which refers to every pass of
// LLVM.

#pragma once

#include "llvm/IR/Module.h"

namespace llvm_orc {

class Optimizer {
public:
  virtual ~Optimizer() = default;
  virtual void run(llvm::Module &M) = 0;
};

} // namespace llvm_orc
