// The optimiser for any pipeline that `opt -passes=…` knows.
//
// Its analyses can be kept between modules once they are cleared. Of its passes, those over functions and loops can
// be run again, because LLVM runs them over one function after the other in any case. Those over modules and call
// graphs cannot: the inliner's wrapper moves its parts away when it runs, the inliner keeps its adviser, dead argument
// elimination its notes. A pipeline with any of them is parsed anew for each module.

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
  // Functions marked `optnone` stay as they are, as with LLVMRunPasses.
  OptNoneInstrumentation OptNone{/*DebugLogging=*/false};
  PassBuilder Builder;
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Components;
  ModuleAnalysisManager Modules;
  std::string Text;
  // Empty if it has to be parsed for each module.
  std::optional<ModulePassManager> Kept;

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
      ModulePassManager Once;
      return Builder.parsePassPipeline(Once, Text);
    }
    Kept.emplace();
    Kept->addPass(createModuleToFunctionPassAdaptor(std::move(OverFunctions)));
    return Error::success();
  }

  void run(Module &M) override {
    if (Kept) {
      Kept->run(M, Modules);
    } else {
      ModulePassManager Once;
      cantFail(Builder.parsePassPipeline(Once, Text)); // it was parsed before
      Once.run(M, Modules);
    }
    // What was found out about this module must not be believed of one at the same address.
    Loops.clear();
    Functions.clear();
    Components.clear();
    Modules.clear();
  }
};

} // namespace

extern "C" LLVMErrorRef llvm_orc_create_text_optimizer(LLVMTargetMachineRef Machine, const char *Text, size_t Length,
                                                   llvm_orc::Optimizer **Made) {
  auto Optimizer =
      std::make_unique<TextOptimizer>(*reinterpret_cast<TargetMachine *>(Machine), StringRef(Text, Length));
  if (Error Err = Optimizer->parse())
    return wrap(std::move(Err));
  *Made = Optimizer.release();
  return LLVMErrorSuccess;
}
