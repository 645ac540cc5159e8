//! index

prism_options::catalog! {}
