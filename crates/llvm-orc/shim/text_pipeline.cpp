// Optimizer for any pipeline in the syntax of `opt -passes=…`.
//
// Analyses can be reused after their results were cleared. Function and loop passes can run more
// than once, because LLVM runs them on function after function. Module and call-graph passes
// cannot: the inliner's wrapper moves its parts away when it runs, the inliner keeps its advisor,
// and dead argument elimination keeps its results. A pipeline with such a pass is parsed for each
// module.

#include "optimizer.h"

#include "llvm-c/Error.h"
#include "llvm-c/TargetMachine.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include "llvm/Support/CBindingWrapping.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <optional>
#include <string>

using namespace llvm;

namespace {

class TextOptimizer final : public llvm_orc::Optimizer {
  PassInstrumentationCallbacks Callbacks;
  // Skips `optnone` functions, as LLVMRunPasses does.
  OptNoneInstrumentation OptNone{/*DebugLogging=*/false};
  PassBuilder Builder;
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Components;
  ModuleAnalysisManager Modules;
  std::string Text;
  // Empty if the pipeline must be parsed for each module.
  std::optional<ModulePassManager> ReusablePasses;

public:
  TextOptimizer(TargetMachine &Machine, StringRef Text)
      : Builder(&Machine, PipelineTuningOptions(), std::nullopt, &Callbacks), Text(Text) {
    OptNone.registerCallbacks(Callbacks);
    Builder.registerLoopAnalyses(Loops);
    Builder.registerFunctionAnalyses(Functions);
    Builder.registerCGSCCAnalyses(Components);
    Builder.registerModuleAnalyses(Modules);
    Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  }

  // Called once, before the first run.
  Error parse() {
    FunctionPassManager OverFunctions;
    if (Error NotOnlyFunctions = Builder.parsePassPipeline(OverFunctions, Text)) {
      consumeError(std::move(NotOnlyFunctions));
      ModulePassManager ModulePasses;
      return Builder.parsePassPipeline(ModulePasses, Text);
    }
    ReusablePasses.emplace();
    ReusablePasses->addPass(createModuleToFunctionPassAdaptor(std::move(OverFunctions)));
    return Error::success();
  }

  void run(Module &M) override {
    if (ReusablePasses) {
      ReusablePasses->run(M, Modules);
    } else {
      ModulePassManager ModulePasses;
      cantFail(Builder.parsePassPipeline(ModulePasses, Text)); // parsed before
      ModulePasses.run(M, Modules);
    }
    // The next module may have the same address, so no result of this module may stay.
    Loops.clear();
    Functions.clear();
    Components.clear();
    Modules.clear();
  }
};

} // namespace

extern "C" LLVMErrorRef llvm_orc_create_text_optimizer(LLVMTargetMachineRef Machine, const char *Text, size_t Length,
                                                   llvm_orc::Optimizer **Result) {
  auto Optimizer =
      std::make_unique<TextOptimizer>(*reinterpret_cast<TargetMachine *>(Machine), StringRef(Text, Length));
  if (Error Err = Optimizer->parse())
    return wrap(std::move(Err));
  *Result = Optimizer.release();
  return LLVMErrorSuccess;
}
