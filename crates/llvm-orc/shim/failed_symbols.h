// The symbols of the link that has just failed on this thread.

#pragma once

#include "llvm/ExecutionEngine/Orc/Core.h"

namespace llvm_orc {

void noteFailedLink(llvm::orc::MaterializationResponsibility &Failed);

} // namespace llvm_orc
