//! Whole sites in one test process: disks, clocks and networks with faults from a seed.
