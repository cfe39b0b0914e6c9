//! A machine's disk, clock and tasks with faults from a seed.
//!
//! What it is for: tests cut the power at any operation, lie about a sync, fill the disk, and look at
//! what the restarted machine finds; [`Scheduler`] runs the tasks of several machines in one thread.
//! What it promises: [`SimulatedDisk`] keeps exactly what [`firebrick_edge::Disk`] promises and
//! nothing more, and the same seed leaves the same bytes and runs the same way. What it leans on: `edge`, whose traits it implements. It holds everything in memory and is for tests
//! only.

mod clock;
mod content;
mod disk;
mod faults;
mod file;
mod names;
mod scheduler;
mod seeds;

pub use clock::SimulatedClock;
pub use disk::SimulatedDisk;
pub use scheduler::{Process, Scheduler};
pub use seeds::{every_seed, seeds};
