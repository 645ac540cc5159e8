//! entity

prism_options::catalog! {}
