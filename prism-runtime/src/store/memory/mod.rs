//! The memory store: for tests, and for `BACKEND_MEMORY`.
