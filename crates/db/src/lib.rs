//! What the control plane remembers: tables, compare-and-set, leases.
