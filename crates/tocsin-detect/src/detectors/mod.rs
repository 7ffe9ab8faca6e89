//! The detectors, one file each.

pub mod consecutive;
pub mod correlation;
pub mod leaky_bucket;
pub mod sequence;
pub mod value_count;
pub mod values;
