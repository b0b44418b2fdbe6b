//! Maths table: the functions of the C maths library that a program may call, by name and arity.
//!
//! This is the only list of them. The addresses come from the engine, so that every tier calls the
//! same functions.

macro_rules! maths_functions {
    ($($variant:ident $name:literal $arity:literal,)*) => {
        /// A function of the C maths library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[allow(missing_docs, reason = "each is C's function of that name")]
        pub enum MathsFunction { $($variant,)* }

        impl MathsFunction {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in C and in the language.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The number of parameters: 1 or 2.
            pub const fn arity(self) -> u32 {
                match self { $(Self::$variant => $arity,)* }
            }
        }
    };
}

maths_functions! {
    Sin "sin" 1, Cos "cos" 1, Tan "tan" 1, Asin "asin" 1, Acos "acos" 1, Atan "atan" 1, Atan2 "atan2" 2,
    Sinh "sinh" 1, Cosh "cosh" 1, Tanh "tanh" 1, Exp "exp" 1, Log "log" 1, Log10 "log10" 1, Log2 "log2" 1,
    Pow "pow" 2, Sqrt "sqrt" 1, Cbrt "cbrt" 1, Floor "floor" 1, Ceil "ceil" 1, Round "round" 1, Trunc "trunc" 1,
    Fabs "fabs" 1, Fmod "fmod" 2, Fmin "fmin" 2, Fmax "fmax" 2, Hypot "hypot" 2,
    Asinh "asinh" 1, Acosh "acosh" 1, Atanh "atanh" 1, Exp2 "exp2" 1, Expm1 "expm1" 1, Log1p "log1p" 1,
    Rint "rint" 1, Erf "erf" 1, Erfc "erfc" 1, Tgamma "tgamma" 1,
}
