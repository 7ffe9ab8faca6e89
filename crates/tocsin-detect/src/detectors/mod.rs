//! The detectors, one file each.

pub mod consecutive;
pub mod correlation;
