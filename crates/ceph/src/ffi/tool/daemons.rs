//! What monitors and managers answer.

use std::ffi::c_char;
use std::ptr;

use super::super::text::given;
use super::open::Connection;
use super::{Trouble, calls, check};

/// Why a manager did not do as it was told.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{trouble}")]
pub struct Refused {
    /// The number.
    pub trouble: Trouble,
    /// In the manager's words, which may be none.
    pub why: String,
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        let why = String::new();
        Self { trouble, why }
    }
}

impl Connection {
    /// What the monitors answer to a command of JSON.
    pub fn ask_monitors(&self, command: &str) -> Result<Vec<u8>, Trouble> {
        Ok(self.cluster.ask_monitors(command)?)
    }

    /// What the active manager answers to a command of JSON.
    pub fn ask_manager(&self, command: &str) -> Result<Vec<u8>, Refused> {
        let call = calls::rados_mgr_command()?;
        let command = given(command).map_err(Trouble::from)?;
        let commands = [command.as_ptr()];
        let (mut out, mut out_len) = (ptr::null_mut(), 0);
        let (mut said, mut said_len) = (ptr::null_mut(), 0);
        // SAFETY: one command is given, there is no input, and the four places are written before they are read.
        let code = unsafe {
            call(
                self.cluster.handle,
                commands.as_ptr(),
                commands.len(),
                c"".as_ptr(),
                0,
                &raw mut out,
                &raw mut out_len,
                &raw mut said,
                &raw mut said_len,
            )
        };
        let (answer, why) = (self.take(out, out_len), self.take(said, said_len));
        check(code).map_err(|trouble| Refused {
            trouble,
            why: String::from_utf8_lossy(&why).into_owned(),
        })?;
        Ok(answer)
    }

    /// What librados has put there, which goes back to it.
    fn take(&self, buffer: *mut c_char, len: usize) -> Vec<u8> {
        if buffer.is_null() {
            return Vec::new();
        }
        // SAFETY: librados has allocated so many bytes, and nobody uses them any more.
        unsafe {
            let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), len).to_vec();
            (self.cluster.library.rados.rados_buffer_free)(buffer);
            bytes
        }
    }
}
