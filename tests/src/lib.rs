//! Stories with the real binary and real clients.
