//! field

prism_options::catalog! {}
