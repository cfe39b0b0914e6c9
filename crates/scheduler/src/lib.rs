//! Where a volume goes: pools in, decision and reasons out. No I/O.
