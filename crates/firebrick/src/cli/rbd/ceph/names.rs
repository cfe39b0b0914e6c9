//! What bits of librbd are called.

/// `RBD_FEATURE_STRIPINGV2`.
pub(super) const STRIPING: u64 = 1 << 1;
/// `RBD_FEATURE_FAST_DIFF`.
pub(super) const FAST_DIFF: u64 = 1 << 4;
/// `RBD_FEATURE_JOURNALING`.
pub(super) const JOURNALING: u64 = 1 << 6;

/// The bits of `RBD_FEATURE_…`, in the order in which they are printed.
pub(super) const FEATURES: [(u64, &str); 12] = [
    (1, "layering"),
    (STRIPING, "striping"),
    (1 << 2, "exclusive-lock"),
    (1 << 3, "object-map"),
    (FAST_DIFF, "fast-diff"),
    (1 << 5, "deep-flatten"),
    (JOURNALING, "journaling"),
    (1 << 7, "data-pool"),
    (1 << 8, "operations"),
    (1 << 9, "migrating"),
    (1 << 10, "non-primary"),
    (1 << 11, "dirty-cache"),
];

/// The bits of `RBD_OPERATION_FEATURE_…`.
pub(super) const OPERATIONS: [(u64, &str); 4] = [
    (1, "clone-parent"),
    (1 << 1, "clone-child"),
    (1 << 2, "group"),
    (1 << 3, "snap-trash"),
];

/// The bits of `RBD_FLAG_…`.
pub(super) const FLAGS: [(u64, &str); 2] =
    [(1, "object map invalid"), (1 << 1, "fast diff invalid")];

/// The names of the bits that are set.
pub(super) fn names(all: &[(u64, &'static str)], bits: u64) -> Vec<&'static str> {
    let set = all.iter().filter(|(bit, _)| bits & bit != 0);
    set.map(|(_, name)| *name).collect()
}

/// The bit of a feature that users name.
pub(super) fn feature(name: &str) -> Option<u64> {
    let named = FEATURES.iter().find(|(_, known)| *known == name);
    named.map(|(bit, _)| *bit)
}
