//! Access sites: where code accesses an element of an array, for the error of an index that means
//! none.

use super::exit::{exit_argument, of_exit_argument};
use crate::FunctionId;

/// Where code accesses an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessSite {
    /// In code of this function alone; `None` for an expression.
    Function(Option<FunctionId>),
    /// In a function that is inlined in the code of this number: its [`Exit`](super::Exit) of this
    /// number has the active functions, and no values.
    Inlined {
        /// The number of the code ([`Invalidation::code_number`](super::Invalidation::code_number)).
        code_number: u32,
        /// The number of the exit.
        exit: usize,
    },
}

impl AccessSite {
    /// The site as the third argument of
    /// [`HostArrayMemory::bad_index`](super::HostArrayMemory::bad_index).
    pub fn argument(self) -> f64 {
        match self {
            Self::Function(None) => -1.0,
            Self::Function(Some(id)) => -2.0 - id.index() as f64,
            Self::Inlined { code_number, exit } => exit_argument(code_number, exit),
        }
    }

    /// The site of this argument.
    pub fn of_argument(argument: f64) -> Self {
        if argument >= 0.0 {
            let (code_number, exit) = of_exit_argument(argument);
            return Self::Inlined { code_number, exit };
        }
        let number = -argument as u32;
        Self::Function(number.checked_sub(2).map(FunctionId::new))
    }
}

#[cfg(test)]
mod tests {
    use super::AccessSite;
    use crate::FunctionId;

    #[test]
    fn sites_are_arguments() {
        let ids = [None, Some(0), Some(7), Some(u32::MAX - 2)];
        let functions = ids.map(|id| AccessSite::Function(id.map(FunctionId::new)));
        let inlined = [(0, 0), (3, 65_535), (u32::MAX, 1)];
        let inlined = inlined.map(|(code_number, exit)| AccessSite::Inlined { code_number, exit });
        for site in functions.into_iter().chain(inlined) {
            assert_eq!(AccessSite::of_argument(site.argument()), site);
        }
    }
}
