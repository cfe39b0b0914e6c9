//! The Block Storage API over HTTP: routes, shapes, microversions, faults.
