//! The Remote Framebuffer protocol (RFC 6143 and its extensions) without I/O.
