// Optimizer for a list of function passes, built by hand: passes that this file does not name are
// not linked.
//
// Registers the analyses that PassBuilder would register, as far as these passes use them. LLVM's
// lib/Passes/PassRegistry.def lists the analyses, and lib/Passes/PassBuilder.cpp their proxies.
// Analyses that a pass uses only if they are cached are registered only where LLVM asserts it. Each
// pass has the options of its name in `opt -passes=…`.
//
// Function passes can run more than once, because LLVM runs them on function after function.

#include "optimizer.h"

#include "llvm-c/TargetMachine.h"
#include "llvm/Analysis/AliasAnalysis.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/BasicAliasAnalysis.h"
#include "llvm/Analysis/BlockFrequencyInfo.h"
#include "llvm/Analysis/BranchProbabilityInfo.h"
#include "llvm/Analysis/DemandedBits.h"
#include "llvm/Analysis/LastRunTrackingAnalysis.h"
#include "llvm/Analysis/LoopAccessAnalysis.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/MemorySSA.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/PostDominators.h"
#include "llvm/Analysis/ProfileSummaryInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/ScopedNoAliasAA.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/Analysis/TypeBasedAliasAnalysis.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/LoopUnrollPass.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Vectorize/LoopVectorize.h"
#include "llvm/Transforms/Vectorize/SLPVectorizer.h"

#include <cstdint>

using namespace llvm;

namespace {

// Same numbers as `FunctionPass` in src/compiler/passes.rs.
enum class PassId : uint8_t {
  EarlyCse = 0,
  InstCombine = 1,
  Licm = 2,
  SimplifyCfg = 3,
  Sroa = 4,
  LoopRotate = 5,
  LoopUnrollFull = 6,
  LoopVectorize = 7,
  SlpVectorizer = 8
};

class FunctionOptimizer final : public llvm_orc::Optimizer {
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  ModuleAnalysisManager Modules;
  FunctionPassManager Passes;

public:
  explicit FunctionOptimizer(TargetMachine &Machine) {
    Loops.registerPass([] { return PassInstrumentationAnalysis(); });
    Loops.registerPass([&] { return FunctionAnalysisManagerLoopProxy(Functions); });

    Functions.registerPass([] { return PassInstrumentationAnalysis(); });
    Functions.registerPass([&] { return LoopAnalysisManagerFunctionProxy(Loops); });
    Functions.registerPass([&] { return ModuleAnalysisManagerFunctionProxy(Modules); });
    Functions.registerPass([&] { return Machine.getTargetIRAnalysis(); });
    Functions.registerPass([] { return TargetLibraryAnalysis(); });
    Functions.registerPass([] { return AssumptionAnalysis(); });
    Functions.registerPass([] { return DominatorTreeAnalysis(); });
    Functions.registerPass([] { return PostDominatorTreeAnalysis(); });
    Functions.registerPass([] { return LoopAnalysis(); });
    Functions.registerPass([] { return ScalarEvolutionAnalysis(); });
    Functions.registerPass([] { return BranchProbabilityAnalysis(); });
    Functions.registerPass([] { return BlockFrequencyAnalysis(); });
    Functions.registerPass([] { return OptimizationRemarkEmitterAnalysis(); });
    Functions.registerPass([] { return LastRunTrackingAnalysis(); });
    Functions.registerPass([] { return MemorySSAAnalysis(); });
    Functions.registerPass([] { return DemandedBitsAnalysis(); });
    Functions.registerPass([] { return LoopAccessAnalysis(); });
    Functions.registerPass([] { return ShouldRunExtraVectorPasses(); });
    Functions.registerPass([] { return BasicAA(); });
    Functions.registerPass([] { return ScopedNoAliasAA(); });
    Functions.registerPass([] { return TypeBasedAA(); });
    Functions.registerPass([&] {
      // As PassBuilder::buildDefaultAAPipeline, without the analysis of globals, which needs module
      // passes.
      AAManager Aliases;
      Aliases.registerFunctionAnalysis<BasicAA>();
      Aliases.registerFunctionAnalysis<ScopedNoAliasAA>();
      Aliases.registerFunctionAnalysis<TypeBasedAA>();
      Machine.registerDefaultAliasAnalyses(Aliases);
      return Aliases;
    });

    Modules.registerPass([] { return PassInstrumentationAnalysis(); });
    Modules.registerPass([] { return ProfileSummaryAnalysis(); });
  }

  void add(PassId Pass) {
    switch (Pass) {
    case PassId::EarlyCse:
      Passes.addPass(EarlyCSEPass());
      break;
    case PassId::InstCombine:
      // The verification may end the process when one iteration does not reach the fixpoint.
      Passes.addPass(InstCombinePass(InstCombineOptions().setVerifyFixpoint(false)));
      break;
    case PassId::Licm:
      Passes.addPass(createFunctionToLoopPassAdaptor(LICMPass(LICMOptions()), /*UseMemorySSA=*/true));
      break;
    case PassId::SimplifyCfg:
      Passes.addPass(SimplifyCFGPass());
      break;
    case PassId::Sroa:
      Passes.addPass(SROAPass(SROAOptions::ModifyCFG));
      break;
    case PassId::LoopRotate:
      Passes.addPass(createFunctionToLoopPassAdaptor(LoopRotatePass()));
      break;
    case PassId::LoopUnrollFull:
      Passes.addPass(createFunctionToLoopPassAdaptor(LoopFullUnrollPass()));
      break;
    case PassId::LoopVectorize:
      Passes.addPass(LoopVectorizePass());
      break;
    case PassId::SlpVectorizer:
      Passes.addPass(SLPVectorizerPass());
      break;
    }
  }

  void run(Module &M) override {
    for (Function &F : M) {
      // As LLVMRunPasses does. `optnone` functions do not need any of these passes.
      if (F.isDeclaration() || F.hasOptNone())
        continue;
      PreservedAnalyses Preserved = Passes.run(F, Functions);
      Functions.invalidate(F, Preserved);
    }
    // The next module may have the same address, so no result of this module may stay.
    Loops.clear();
    Functions.clear();
    Modules.clear();
  }
};

} // namespace

extern "C" llvm_orc::Optimizer *llvm_orc_create_function_optimizer(LLVMTargetMachineRef Machine, const PassId *Passes,
                                                                size_t Count) {
  auto *Optimizer = new FunctionOptimizer(*reinterpret_cast<TargetMachine *>(Machine));
  for (size_t Index = 0; Index != Count; ++Index)
    Optimizer->add(Passes[Index]);
  return Optimizer;
}
