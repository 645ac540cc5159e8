//! Configuration: `prism.yaml`, environment variables and flags.
