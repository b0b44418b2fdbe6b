//! The comparison: our command and its peers on the same works.
//!
//! Each contestant runs each work as a whole process. [`contestant`] runs programs, [`work`] lists
//! them, and [`board`] collects the times.

pub mod board;
pub mod contestant;
pub mod install;
pub mod work;
