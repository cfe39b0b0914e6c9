//! The bodies of requests about replications.

use super::{OBJECT, SAID, TEXT, object};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

/// `check`.
pub(crate) const CHECK: Bodies = &[(V::MIN, &object(&[("force", SAID)]).closed())];

/// `failover`, `failback` and `reverse`.
pub(crate) const MOVE: Bodies = &[(V::MIN, &object(&[("at", TEXT), ("force", SAID)]).closed())];

/// `drill`.
pub(crate) const DRILL: Bodies = &[(V::MIN, &object(&[("at", TEXT)]).closed())];

/// `end_drill`, `enable` and `disable`.
pub(crate) const PLAIN: Bodies = &[(V::MIN, &OBJECT.closed())];
