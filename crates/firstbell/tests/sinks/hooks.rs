//! To come, and soon.
