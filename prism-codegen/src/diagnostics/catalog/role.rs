//! role

prism_options::catalog! {}
