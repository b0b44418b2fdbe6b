// Condensed processor features: omits those that the processor's name implies.
//
// The host names about two hundred features, and its processor's name implies most of them. LLVM
// searches its feature table for each named feature, for every target machine and every subtarget.
// That costs a third of a millisecond at startup.

#include "llvm-c/Core.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>
#include <string>

using namespace llvm;

static std::unique_ptr<MCSubtargetInfo> subtarget(const char *TripleText, const char *CPU, StringRef Features) {
  Triple Wanted(TripleText);
  std::string Reason;
  const Target *Known = TargetRegistry::lookupTarget(Wanted, Reason);
  return std::unique_ptr<MCSubtargetInfo>(Known ? Known->createMCSubtargetInfo(Wanted, CPU, Features) : nullptr);
}

static StringRef nameOf(const SubtargetFeatureKV &Feature) {
#if LLVM_VERSION_MAJOR < 23
  return Feature.Key;
#else
  return Feature.key();
#endif
}

static const SubtargetFeatureKV *featureNamed(const MCSubtargetInfo &Subtarget, StringRef Name) {
  ArrayRef<SubtargetFeatureKV> Features = Subtarget.getAllProcessorFeatures(); // in the order of their names
  const SubtargetFeatureKV *Found = llvm::lower_bound(Features, Name);
  return Found != Features.end() && nameOf(*Found) == Name ? Found : nullptr;
}

extern "C" {

// Returns the features that change the processor, for LLVMDisposeMessage, or null for an unknown
// target.
//
// LLVM's feature sets are closed: a set contains what its features imply, and nothing that implies
// an absent feature. Therefore enabling a present feature or disabling an absent one has no effect.
// The other features are applied in order.
char *llvm_orc_condense_features(const char *TripleText, const char *CPU, const char *Features) {
  std::unique_ptr<MCSubtargetInfo> Subtarget = subtarget(TripleText, CPU, "");
  if (!Subtarget)
    return nullptr;
  std::string Condensed;
  SmallVector<StringRef, 0> All;
  StringRef(Features).split(All, ',', -1, /*KeepEmpty=*/false);
  for (StringRef Feature : All) {
    // An unknown name stays in the text, so that LLVM reports it.
    const SubtargetFeatureKV *Known = featureNamed(*Subtarget, Feature.drop_front());
    if (Known && Subtarget->getFeatureBits().test(Known->Value) == Feature.starts_with("+"))
      continue;
    Subtarget->ApplyFeatureFlag(Feature);
    Condensed += Condensed.empty() ? "" : ",";
    Condensed += Feature;
  }
  return LLVMCreateMessage(Condensed.c_str());
}

// The first of processor and features that the target does not have, as a sentence for
// LLVMDisposeMessage, or null if it has all. LLVM itself ignores them, with a warning, or aborts.
char *llvm_orc_unknown_name(const char *TripleText, const char *CPU, const char *Features) {
  std::unique_ptr<MCSubtargetInfo> Subtarget = subtarget(TripleText, "", "");
  if (!Subtarget)
    return nullptr;
  std::string Machine = Triple(TripleText).getArchName().str();
  if (*CPU && !Subtarget->isCPUStringValid(CPU))
    return LLVMCreateMessage((Machine + " has no processor `" + CPU + "`").c_str());
  SmallVector<StringRef, 0> All;
  StringRef(Features).split(All, ',', -1, /*KeepEmpty=*/false);
  for (StringRef Feature : All) {
    std::string Text = Feature.str();
    if (!Feature.starts_with("+") && !Feature.starts_with("-"))
      return LLVMCreateMessage(("the feature `" + Text + "` begins with neither + nor -").c_str());
    if (!featureNamed(*Subtarget, Feature.drop_front()))
      return LLVMCreateMessage((Machine + " has no feature `" + Text.substr(1) + "`").c_str());
  }
  return nullptr;
}

// Whether both texts select the same features for the processor.
bool llvm_orc_same_features(const char *TripleText, const char *CPU, const char *One, const char *Other) {
  std::unique_ptr<MCSubtargetInfo> A = subtarget(TripleText, CPU, One), B = subtarget(TripleText, CPU, Other);
  return A && B && A->getFeatureBits() == B->getFeatureBits();
}

} // extern "C"
