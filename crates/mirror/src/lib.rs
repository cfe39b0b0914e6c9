//! A reader of another site's log, and the switch between sites.
