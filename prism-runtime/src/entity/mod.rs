//! Typed services: records, and what each operation does to them.
