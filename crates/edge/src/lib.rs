//! Time, disk and tasks enter the data plane here and nowhere else.
//!
//! What it is for: so that whole stores run inside one test process with injected faults,
//! reproducible from a seed, log, engine and mirror see only these traits. What it promises: the
//! real ones ([`RealDisk`], [`SystemClock`]) add nothing but the system call; the faulty ones live
//! in `simulate`. What it leans on: rustix, for system calls without `unsafe`, and libc for the
//! five that it does not have.

mod again;
mod around;
mod cache;
mod clock;
mod disk;
mod free;
mod huge;
mod locks;
mod parts;
mod real_disk;
mod runtime;
mod turns;

pub use clock::{Clock, SystemClock, Timestamp};
pub use disk::{Disk, DiskFile, DiskLock, DiskSpace, PAGE};
pub use huge::prefer_huge_pages;
pub use locks::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use parts::Part;
pub use real_disk::RealDisk;
pub use runtime::{Runtime, Task};
pub use turns::let_others_go_first;
