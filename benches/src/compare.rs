//! The score-board: our command beside its peers on the same works.
//!
//! Every contestant runs each work as a whole process; [`contestant`] says how, [`work`] what, [`board`] keeps what it took.

pub mod board;
pub mod contestant;
pub mod install;
pub mod work;
