//! The process of a site.
