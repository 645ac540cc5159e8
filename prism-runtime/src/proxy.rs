//! The proxy: a schema, a configuration and the stores, served.
