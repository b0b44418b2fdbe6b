//! Elements of arrays of the host: memory that other threads read and write at the same time.
//!
//! An access is one comparison, and one load or store. As for host variables, loads and stores are
//! atomic and without order, so no thread sees half a value, and LLVM moves none of them out of a
//! loop.
//!
//! The processor's conversion to an integer and an unsigned comparison find every index that means
//! no element. LLVM's own conversion is no use: its result for NaN or a large number is undefined,
//! or looks like an index. The variable of a counted loop was an integer before, and needs none.

use super::call::{enum_attribute, signature};
use super::host_variable::make_atomic;
use super::{Lowering, References, built};
use crate::{arch, symbols};
use inkwell::attributes::AttributeLoc;
use inkwell::values::{BasicValue, FloatValue, IntValue, PointerValue};
use inkwell::{AddressSpace, IntPredicate};
use kaleidoscope_ir::array::element_at;
use kaleidoscope_ir::compile::TableWord;
use kaleidoscope_ir::{HostArray, OpIdx};

impl<'cx> Lowering<'cx, '_> {
    pub(super) fn load_element(
        &mut self,
        at: OpIdx,
        array: HostArray,
        index: FloatValue<'cx>,
    ) -> FloatValue<'cx> {
        let place = self.checked_element(at, array, index);
        let value = built(self.builder.build_load(self.cx.f64_type(), place, ""));
        make_atomic(value.as_instruction_value().expect("a load is an instruction"));
        value.into_float_value()
    }

    pub(super) fn store_element(
        &mut self,
        at: OpIdx,
        array: HostArray,
        index: FloatValue<'cx>,
        value: FloatValue<'cx>,
    ) {
        let place = self.checked_element(at, array, index);
        make_atomic(built(self.builder.build_store(place, value)));
    }

    /// The place of the element that the index means. Leaves the code if it means none. `op` is the
    /// position of the operation.
    fn checked_element(&mut self, op: OpIdx, array: HostArray, index: FloatValue<'cx>) -> PointerValue<'cx> {
        let memory = self.unit.host_array(array);
        let whole = self.cx.i64_type();
        if let Some((index, _)) = index.get_constant()
            && let Some(at) = element_at(index, memory.len)
        {
            return self.element_place(array, whole.const_int(at as u64, false));
        }
        let at = self.as_index(index);
        let len = whole.const_int(memory.len as u64, false);
        let is_bad = built(self.builder.build_int_compare(IntPredicate::UGE, at, len, ""));
        let (bad, element) = (self.append("bad.index"), self.append("element"));
        let branch = built(self.builder.build_conditional_branch(is_bad, bad, element));
        let kind = self.cx.get_kind_id("prof");
        branch.set_metadata(self.unlikely(), kind).expect("branches may have weights");
        self.enter(bad);
        self.report_bad_index(op, array, index);
        self.enter(element);
        self.element_place(array, at)
    }

    /// The index as an integer: as an unsigned one it is too large for every array if it means no
    /// element.
    fn as_index(&self, index: FloatValue<'cx>) -> IntValue<'cx> {
        let whole = self.cx.i64_type();
        if let Some(counted) = self.counted.get(&index) {
            return *counted;
        }
        let lanes = self.cx.f64_type().vec_type(arch::INDEX_LANES);
        let convert = self.module.get_function(arch::CONVERT_INDEX).unwrap_or_else(|| {
            self.module.add_function(arch::CONVERT_INDEX, whole.fn_type(&[lanes.into()], false), None)
        });
        let first = self.cx.i32_type().const_zero();
        let vector = built(self.builder.build_insert_element(lanes.get_poison(), index, first, ""));
        let call = built(self.builder.build_direct_call(convert, &[vector.into()], ""));
        call.try_as_basic_value().unwrap_basic().into_int_value()
    }

    /// The place of an element.
    fn element_place(&self, array: HostArray, at: IntValue<'cx>) -> PointerValue<'cx> {
        let memory = self.unit.host_array(array);
        let whole = self.cx.i64_type();
        let first = match self.references {
            References::Addresses => whole.const_int(memory.address as u64, false),
            References::Table(_) => self.table_word(TableWord::HostArray(array), whole).into_int_value(),
            References::Symbols(_) | References::Linked(_) => {
                let first = self.external(self.cx.f64_type(), &symbols::array(&memory.name));
                built(self.builder.build_ptr_to_int(first, whole, ""))
            }
        };
        let bytes = whole.const_int(size_of::<f64>() as u64, false);
        let offset = built(self.builder.build_int_mul(at, bytes, ""));
        let place = built(self.builder.build_int_add(first, offset, ""));
        built(self.builder.build_int_to_ptr(place, self.cx.ptr_type(AddressSpace::default()), ""))
    }

    /// Ends the block: calls what reports the index, which never returns.
    fn report_bad_index(&mut self, op: OpIdx, array: HostArray, index: FloatValue<'cx>) {
        let memory = self.unit.host_array(array);
        let double = self.cx.f64_type();
        let site = self.access_site(op);
        let site = self.access_site_argument(site);
        let args = [double.const_float(array.index() as f64), index, site];
        let signature = signature(self.cx, args.len());
        let args = args.map(Into::into);
        let call = match self.references {
            References::Addresses | References::Table(_) => {
                let code = self.address_or_word(memory.bad_index, TableWord::BadIndex(array));
                built(self.builder.build_indirect_call(signature, code, &args, ""))
            }
            References::Symbols(_) | References::Linked(_) => {
                let declared = self.module.get_function(symbols::BAD_INDEX);
                let declared =
                    declared.unwrap_or_else(|| self.module.add_function(symbols::BAD_INDEX, signature, None));
                built(self.builder.build_direct_call(declared, &args, ""))
            }
        };
        for attribute in ["cold", "noreturn"] {
            call.add_attribute(AttributeLoc::Function, enum_attribute(self.cx, attribute));
        }
        built(self.builder.build_unreachable());
    }
}
