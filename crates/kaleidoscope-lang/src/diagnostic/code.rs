//! Diagnostic codes: the table of all kinds of mistakes, one line each.
//!
//! A released code keeps its number and its meaning; a new kind of mistake gets a new number. The
//! first digit is the stage that finds it: 1 form, 2 meaning, 3 running, 4 a limit of this
//! implementation.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal,)*) => {
        /// What kind of mistake a diagnostic reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum DiagnosticCode { $($(#[doc = $doc])+ $variant,)* }

        impl DiagnosticCode {
            /// All codes, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name, such as `KLS1001`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => concat!("KLS", $number),)* }
            }

            /// One sentence about every mistake with this code.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// The text has something else where an expression must be.
    ExpectedExpression = "1001",
    /// The text has something else where a certain sign, word or name must be.
    UnexpectedToken = "1002",
    /// The text ends inside an item.
    UnexpectedEnd = "1003",
    /// A number is malformed.
    MalformedNumber = "1004",
    /// A program cannot contain this character.
    UnknownCharacter = "1005",
    /// An operator before an operand does not exist as a prefix operator.
    UnknownPrefixOperator = "1006",
    /// The name of an operator has more than two characters.
    OperatorTooLong = "1007",
    /// Bytes are not UTF-8. The reader of the file finds them, not the reader of the text.
    NotUtf8 = "1008",

    /// A variable is not in scope.
    UnknownVariable = "2001",
    /// A top-level expression calls a function that does not exist.
    UnknownFunction = "2002",
    /// A definition calls a function that does not exist yet (a warning).
    NotYetDefined = "2003",
    /// A call has another number of arguments than the function has parameters.
    WrongArgumentCount = "2004",
    /// The left side of `=` is not a variable.
    AssignmentToNoVariable = "2005",
    /// A prototype gives two parameters the same name.
    RepeatedParameter = "2006",
    /// The precedence of an operator is not a whole number from 1 to 100.
    BadPrecedence = "2007",
    /// A prototype names a built-in binary operator, so it has no effect (a warning).
    BuiltInOperator = "2008",
    /// An `extern` has another number of parameters than the known function of that name.
    ExternMismatch = "2009",
    /// A number is too large or too small for a double (a warning).
    NumberOutOfRange = "2010",
    /// An operator behind an operand does not exist as a binary operator.
    UnknownBinaryOperator = "2011",
    /// Two expressions stand side by side on one line (a warning).
    SideBySide = "2012",
    /// A function cannot have the name of an array of the host.
    NameOfArray = "2013",
    /// A text that is replaced has definitions only.
    NotADefinition = "2014",

    /// A call reached a function that is still undefined.
    UndefinedCalled = "3001",
    /// A call has another number of arguments than the redefined function has parameters.
    StaleArity = "3002",
    /// A call reached a function that an `extern` declares and the host does not provide.
    MissingHostFunction = "3003",
    /// Calls nested deeper than the stack allows.
    StackOverflow = "3004",
    /// The run was stopped from outside.
    Interrupted = "3005",
    /// The run took longer than its time limit.
    TimedOut = "3006",
    /// A host function returned an error.
    HostError = "3007",
    /// A host function, an output or an observer panicked.
    HostPanic = "3008",
    /// A function could not be compiled.
    CompileFailed = "3009",
    /// The implementation made a mistake: please report it.
    Internal = "3010",
    /// A column of values has another length than the results.
    WrongColumnLength = "3011",
    /// The engine cannot evaluate on this thread, or in this process.
    CannotEvaluate = "3012",
    /// The system refuses what a run needs: memory, or a file descriptor to load the maths library.
    OutOfResources = "3013",
    /// An index means no element of its array.
    IndexOutOfRange = "3014",
    /// There is room for another number of results than formulas have.
    WrongResultCount = "3015",
    /// A scope of one engine calls a function of another.
    OtherEngine = "3016",

    /// An expression is nested too deep.
    NestingTooDeep = "4001",
    /// An item has too many operations.
    ItemTooLarge = "4002",
    /// A function has too many parameters, or a call too many arguments.
    TooManyParameters = "4003",
    /// The text is 4 GiB or longer.
    TextTooLong = "4004",
    /// A function is too large for the code generator.
    CodeTooLarge = "4005",
    /// The program names more functions than the host allows.
    TooManyFunctions = "4006",
    /// The machine code of the program takes more memory than the host allows.
    CodeMemoryFull = "4007",
    /// The text of an item is longer than the host allows.
    ItemTooLong = "4008",
}

impl fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
