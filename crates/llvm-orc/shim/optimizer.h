// An optimiser that is kept between modules: what text.cpp and functions.cpp each make one of.
//
// They are files of their own so that a program links what it makes and no more: LLVM's PassBuilder, which text.cpp
// needs, refers to every pass there is.

#pragma once

#include "llvm/IR/Module.h"

namespace llvm_orc {

class Optimizer {
public:
  virtual ~Optimizer() = default;
  virtual void run(llvm::Module &M) = 0;
};

} // namespace llvm_orc
