// The features of a processor, without those that go without saying.
//
// The host names some two hundred features, most of which its processor's name implies or denies already. LLVM goes
// through its table of features for each one named, with every target machine and every subtarget: a third of a
// millisecond at each start.

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

// Gives the text without what changes nothing, to be given back by LLVMDisposeMessage, or null for an unknown target.
//
// The sets of features that LLVM makes are closed: what a feature implies is in them, and what implies an absent one is
// not. So naming a present feature again, or denying an absent one, changes nothing; the others are applied, in order.
char *llvm_orc_condense_features(const char *TripleText, const char *CPU, const char *Features) {
  std::unique_ptr<MCSubtargetInfo> State = subtarget(TripleText, CPU, "");
  if (!State)
    return nullptr;
  std::string Kept;
  SmallVector<StringRef, 0> All;
  StringRef(Features).split(All, ',', -1, /*KeepEmpty=*/false);
  for (StringRef Feature : All) {
    // A name that is not known is kept, to be complained of.
    const SubtargetFeatureKV *Known = featureNamed(*State, Feature.drop_front());
    if (Known && State->getFeatureBits().test(Known->Value) == Feature.starts_with("+"))
      continue;
    State->ApplyFeatureFlag(Feature);
    Kept += Kept.empty() ? "" : ",";
    Kept += Feature;
  }
  return LLVMCreateMessage(Kept.c_str());
}

// Whether both texts make the same processor of this name.
bool llvm_orc_same_features(const char *TripleText, const char *CPU, const char *One, const char *Other) {
  std::unique_ptr<MCSubtargetInfo> A = subtarget(TripleText, CPU, One), B = subtarget(TripleText, CPU, Other);
  return A && B && A->getFeatureBits() == B->getFeatureBits();
}

} // extern "C"
