//! The gRPC server: sockets, HTTP/2, framing, routing, health, reflection, lifecycle.
