// The optimiser for a few passes over functions, made by hand: what is not named here is not linked.
//
// It registers what PassBuilder would, as far as these passes ask for it: LLVM's lib/Passes/PassRegistry.def lists the
// analyses, lib/Passes/PassBuilder.cpp their cross references. An analysis that a pass only looks for among the
// results of others needs none; it is registered all the same where LLVM asserts so. Each pass has the options that
// its name in `opt -passes=…` gives it.
//
// Passes over functions can be run again, because LLVM runs them over one function after the other in any case.

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

// The numbers of `FunctionPass` in src/compiler/passes.rs.
enum class Chosen : uint8_t {
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
      // As PassBuilder::buildDefaultAAPipeline, but for what is known of globals: only passes over modules find it.
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

  void add(Chosen Pass) {
    switch (Pass) {
    case Chosen::EarlyCse:
      Passes.addPass(EarlyCSEPass());
      break;
    case Chosen::InstCombine:
      // Verifying may end the process when one round did not finish.
      Passes.addPass(InstCombinePass(InstCombineOptions().setVerifyFixpoint(false)));
      break;
    case Chosen::Licm:
      Passes.addPass(createFunctionToLoopPassAdaptor(LICMPass(LICMOptions()), /*UseMemorySSA=*/true));
      break;
    case Chosen::SimplifyCfg:
      Passes.addPass(SimplifyCFGPass());
      break;
    case Chosen::Sroa:
      Passes.addPass(SROAPass(SROAOptions::ModifyCFG));
      break;
    case Chosen::LoopRotate:
      Passes.addPass(createFunctionToLoopPassAdaptor(LoopRotatePass()));
      break;
    case Chosen::LoopUnrollFull:
      Passes.addPass(createFunctionToLoopPassAdaptor(LoopFullUnrollPass()));
      break;
    case Chosen::LoopVectorize:
      Passes.addPass(LoopVectorizePass());
      break;
    case Chosen::SlpVectorizer:
      Passes.addPass(SLPVectorizerPass());
      break;
    }
  }

  void run(Module &M) override {
    for (Function &F : M) {
      // As LLVMRunPasses does. None of these passes is one that functions marked `optnone` need.
      if (F.isDeclaration() || F.hasOptNone())
        continue;
      PreservedAnalyses Preserved = Passes.run(F, Functions);
      Functions.invalidate(F, Preserved);
    }
    // What was found out about this module must not be believed of one at the same address.
    Loops.clear();
    Functions.clear();
    Modules.clear();
  }
};

} // namespace

extern "C" llvm_orc::Optimizer *llvm_orc_create_function_optimizer(LLVMTargetMachineRef Machine, const Chosen *Passes,
                                                                size_t Count) {
  auto *Optimizer = new FunctionOptimizer(*reinterpret_cast<TargetMachine *>(Machine));
  for (size_t Index = 0; Index != Count; ++Index)
    Optimizer->add(Passes[Index]);
  return Optimizer;
}
