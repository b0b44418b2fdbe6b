// Passes kept between modules, which LLVM's C API makes anew for each.
//
// Making the passes of the code generator and of the optimiser is a large part of compiling a small function.
//
// The code generator's passes can be run again: `llc -compile-twice` tests it, and each resets itself when a module
// is done.
//
// The optimiser's analyses can be kept once they are cleared. Of its passes, those over functions and loops can be
// run again, because LLVM runs them over one function after the other in any case. Those over modules and call
// graphs cannot: the inliner's wrapper moves its parts away when it runs, the inliner keeps its adviser, dead argument
// elimination its notes. A pipeline with any of them is parsed anew for each module.
//
// No exception and no panic passes through here: LLVM is built without exceptions, and nothing here calls back into
// Rust but the diagnostic handler, which does not panic.

#include "llvm-c/Error.h"
#include "llvm-c/TargetMachine.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include "llvm/Support/CBindingWrapping.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace llvm;

namespace {

TargetMachine &machineOf(LLVMTargetMachineRef Machine) {
  return *reinterpret_cast<TargetMachine *>(Machine);
}

// The optimiser: analyses registered once, pipelines parsed once.
class KeptOptimizer {
  PassInstrumentationCallbacks Callbacks;
  // Functions marked `optnone` stay as they are, as with LLVMRunPasses.
  OptNoneInstrumentation OptNone{/*DebugLogging=*/false};
  PassBuilder Builder;
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Components;
  ModuleAnalysisManager Modules;

  struct Pipeline {
    std::string Text;
    // Empty if it has to be parsed for each module.
    std::optional<ModulePassManager> Kept;
  };
  std::vector<Pipeline> Pipelines;

public:
  explicit KeptOptimizer(TargetMachine &Machine)
      : Builder(&Machine, PipelineTuningOptions(), std::nullopt, &Callbacks) {
    OptNone.registerCallbacks(Callbacks);
    Builder.registerLoopAnalyses(Loops);
    Builder.registerFunctionAnalyses(Functions);
    Builder.registerCGSCCAnalyses(Components);
    Builder.registerModuleAnalyses(Modules);
    Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  }

  // Gives the pipeline's number to `run` it by.
  Expected<size_t> parse(StringRef Text) {
    FunctionPassManager OverFunctions;
    if (Error NotOnlyFunctions = Builder.parsePassPipeline(OverFunctions, Text)) {
      consumeError(std::move(NotOnlyFunctions));
      ModulePassManager Once;
      if (Error Err = Builder.parsePassPipeline(Once, Text))
        return std::move(Err);
      Pipelines.push_back({Text.str(), std::nullopt});
    } else {
      ModulePassManager Kept;
      Kept.addPass(createModuleToFunctionPassAdaptor(std::move(OverFunctions)));
      Pipelines.push_back({Text.str(), std::move(Kept)});
    }
    return Pipelines.size() - 1;
  }

  void run(size_t Number, Module &M) {
    Pipeline &Chosen = Pipelines[Number];
    if (Chosen.Kept) {
      Chosen.Kept->run(M, Modules);
    } else {
      ModulePassManager Once;
      cantFail(Builder.parsePassPipeline(Once, Chosen.Text)); // it was parsed before
      Once.run(M, Modules);
    }
    // What was found out about this module must not be believed of one at the same address.
    Loops.clear();
    Functions.clear();
    Components.clear();
    Modules.clear();
  }
};

// The code generator: one pass manager, from selecting instructions to writing the object file.
class KeptCodegen {
  SmallVector<char, 0> Buffer;
  raw_svector_ostream Stream{Buffer};
  legacy::PassManager Passes;

public:
  static std::unique_ptr<KeptCodegen> create(TargetMachine &Machine) {
    auto Kept = std::make_unique<KeptCodegen>();
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

KeptOptimizer *llvm_orc_optimizer_create(LLVMTargetMachineRef Machine) {
  return new KeptOptimizer(machineOf(Machine));
}

LLVMErrorRef llvm_orc_optimizer_parse(KeptOptimizer *Optimizer, const char *Text, size_t Length,
                                      size_t *Pipeline) {
  Expected<size_t> Parsed = Optimizer->parse(StringRef(Text, Length));
  if (!Parsed)
    return wrap(Parsed.takeError());
  *Pipeline = *Parsed;
  return LLVMErrorSuccess;
}

void llvm_orc_optimizer_run(KeptOptimizer *Optimizer, size_t Pipeline, LLVMModuleRef M) {
  Optimizer->run(Pipeline, *unwrap(M));
}

void llvm_orc_optimizer_dispose(KeptOptimizer *Optimizer) { delete Optimizer; }

KeptCodegen *llvm_orc_codegen_create(LLVMTargetMachineRef Machine) {
  return KeptCodegen::create(machineOf(Machine)).release();
}

// The bytes stay as they are until the next run.
void llvm_orc_codegen_run(KeptCodegen *Codegen, LLVMModuleRef M, const char **Bytes, size_t *Length) {
  StringRef Object = Codegen->run(*unwrap(M));
  *Bytes = Object.data();
  *Length = Object.size();
}

void llvm_orc_codegen_dispose(KeptCodegen *Codegen) { delete Codegen; }

} // extern "C"
