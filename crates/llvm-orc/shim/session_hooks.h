// Functions of the program that a session calls. Same layout as `RawHooks` in
// src/jit/create_lljit.rs.

#pragma once

#include "llvm-c/Error.h"
#include "llvm-c/Orc.h"
#include "llvm-c/Types.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"

#include <memory>

namespace llvm_orc {

// A named range of addresses: a section or a function.
struct NamedRange {
  const char *Name;
  size_t Length;
  uint64_t Address;
  uint64_t Size;
};

struct LinkedObject {
  const char *DylibName;
  // The address of the tracker that owns the object.
  uint64_t Tracker;
  const char *Bytes;
  size_t NumBytes;
  const NamedRange *Sections;
  size_t NumSections;
  const NamedRange *Functions;
  size_t NumFunctions;
};

struct SessionHooks {
  void *Context;
  // Generates code for a module, in the place of LLVM. Null: LLVM does. Sets the buffer or returns
  // an error.
  LLVMErrorRef (*Generate)(void *Context, LLVMModuleRef Module, LLVMMemoryBufferRef *Result);
  // Sees each linked object. Null: none does.
  void (*Linked)(void *Context, const LinkedObject *Object);
};

std::unique_ptr<llvm::orc::ObjectLinkingLayer::Plugin> createLinkObserver(const SessionHooks &Hooks);

} // namespace llvm_orc
