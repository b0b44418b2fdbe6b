//! Address tables of relocatable code: a constant section whose words the linker fills in.
//!
//! LLVM knows nothing of the words, since they are initialized elsewhere. It knows that they never
//! change, so it moves their loads out of loops.

use super::{Lowering, References, built};
use crate::symbols::{ADDRESS_SECTION, ADDRESS_TABLE};
use inkwell::module::Linkage;
use inkwell::types::BasicType;
use inkwell::values::{BasicValueEnum, FloatValue, GlobalValue};
use kaleidoscope_ir::compile::{AccessSite, TableWord, exit_argument};

impl<'cx> Lowering<'cx, '_> {
    /// Loads a word of the address table, as a value of this type with 64 bits.
    pub(super) fn table_word(&self, word: TableWord, of: impl BasicType<'cx>) -> BasicValueEnum<'cx> {
        let References::Table(words) = self.references else {
            unreachable!("only relocatable code has an address table")
        };
        let place = words.binary_search(&word).expect("the table has all that the unit refers to");
        let layout = self.cx.struct_type(&vec![self.cx.i64_type().into(); words.len()], false);
        let table = self.module.get_global(ADDRESS_TABLE).unwrap_or_else(|| {
            let table = self.module.add_global(layout, None, ADDRESS_TABLE);
            table.set_initializer(&layout.const_zero());
            set_filled_in_later(table);
            table
        });
        let place = built(self.builder.build_struct_gep(layout, table.as_pointer_value(), place as u32, ""));
        built(self.builder.build_load(of, place, ""))
    }

    /// The argument of the code's first exit.
    pub(super) fn first_exit_argument(&self, code_number: u32) -> FloatValue<'cx> {
        let double = self.cx.f64_type();
        match self.references {
            References::Table(_) => self.table_word(TableWord::FirstExitArgument, double).into_float_value(),
            References::Addresses | References::Symbols(_) | References::Linked(_) => {
                double.const_float(exit_argument(code_number, 0))
            }
        }
    }

    /// [`AccessSite::argument`] as a value.
    pub(super) fn access_site_argument(&self, site: AccessSite) -> FloatValue<'cx> {
        let double = self.cx.f64_type();
        match site {
            AccessSite::Function(_) => double.const_float(site.argument()),
            AccessSite::Inlined { code_number, exit } => {
                let first = self.first_exit_argument(code_number);
                built(self.builder.build_float_add(first, double.const_float(exit as f64), ""))
            }
        }
    }
}

fn set_filled_in_later(table: GlobalValue<'_>) {
    table.set_linkage(Linkage::Internal);
    table.set_constant(true);
    table.set_externally_initialized(true);
    table.set_section(Some(ADDRESS_SECTION));
    table.set_alignment(8);
}
