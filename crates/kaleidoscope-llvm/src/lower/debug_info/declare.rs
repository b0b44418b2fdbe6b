//! Declares a variable to the debugger: the one operation of LLVM's debug information that has no
//! safe wrapper. `inkwell` returns an instruction for it, but LLVM makes a record that is none.
#![allow(unsafe_code, reason = "LLVM's C interface")]

use inkwell::basic_block::BasicBlock;
use inkwell::debug_info::{DILocalVariable, DILocation, DebugInfoBuilder};
use inkwell::llvm_sys::debuginfo::LLVMDIBuilderInsertDeclareRecordAtEnd;
use inkwell::values::{AsValueRef as _, PointerValue};

/// Declares at the end of the block that the variable is at this place.
pub(super) fn declare<'cx>(
    builder: &DebugInfoBuilder<'cx>,
    place: PointerValue<'cx>,
    variable: DILocalVariable<'cx>,
    location: DILocation<'cx>,
    block: BasicBlock<'cx>,
) {
    let expression = builder.create_expression(Vec::new());
    // SAFETY: all of these belong to one context, which they borrow, and none is null.
    unsafe {
        LLVMDIBuilderInsertDeclareRecordAtEnd(
            builder.as_mut_ptr(),
            place.as_value_ref(),
            variable.as_mut_ptr(),
            expression.as_mut_ptr(),
            location.as_mut_ptr(),
            block.as_mut_ptr(),
        );
    }
}
