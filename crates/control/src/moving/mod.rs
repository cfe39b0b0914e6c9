//! A volume gets another type, or goes to another backend.
//!
//! Its bytes are copied into the image of a hidden volume at the other backend. Then, in one transaction, the
//! two change places: the volume has the copy, and the hidden one has the original and is deleted as any
//! other volume is. Whatever dies before leaves the volume where it was.

mod arrive;
mod carry;
mod change_type;
mod completion;
mod copy;
mod migrate;
mod refusals;
mod retype;
mod route;
mod target;

pub(crate) use change_type::{run as change_type, undo as keep_type};
pub(crate) use copy::is_ours;
pub use migrate::MigrateVolume;
pub(crate) use migrate::{run as migrate, undo as stay};
pub use retype::{MigrationPolicy, RetypeVolume};
