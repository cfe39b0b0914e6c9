//! A site on the embedded engine: its process, its admin protocol and its client.
