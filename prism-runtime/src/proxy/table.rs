//! The start-up table: what is served from where.
