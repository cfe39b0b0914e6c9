//! Activities as requests and stories see them: begun, followed, ended.

mod look;
mod pace;
mod work;

pub(crate) use pace::Pace;
