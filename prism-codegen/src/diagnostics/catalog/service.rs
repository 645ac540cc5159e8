//! service

prism_options::catalog! {}
