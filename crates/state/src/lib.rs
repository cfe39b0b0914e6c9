//! What may happen: every status, its transitions and its drawing. No I/O.
