//! The built-in `prism.keyvalue.v1.KeyValueService`.
