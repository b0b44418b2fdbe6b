//! Ids: newtypes over `u32` for functions, variables and positions.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(u32);

        impl $name {
            /// The id with this number.
            pub const fn new(index: u32) -> Self {
                Self(index)
            }

            /// The number as an index into a table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A function of one name and one arity. Ids are numbered from 0 in order. A name that is
    /// defined with another number of parameters gets another id.
    FunctionId,

    /// A variable of one function: parameters first, then the other variables in order of
    /// appearance.
    Local,

    /// A host variable: a double in memory that programs and the host share. Ids are numbered from
    /// 0 in order. A name that comes to mean another variable gets another id.
    HostVariable,

    /// An array of the host: doubles in memory that programs and the host share. Ids are numbered
    /// from 0 in order.
    HostArray,

    /// A position in [`Function::ops`](crate::Function::ops).
    OpIdx,
}
