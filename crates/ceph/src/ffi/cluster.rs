//! A connection to a cluster.

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

use super::errno::{Errno, check};
use super::pool::Pool;
use super::shapes::RadosT;
use super::tables::{Libraries, libraries};
use super::text::{given, of_buffer, taken};

/// A connection to a cluster, as one of its users.
pub(crate) struct Cluster {
    pub(super) handle: RadosT,
    pub(super) library: &'static Libraries,
}

// SAFETY: librados locks what its threads share; a handle may be used from any thread, and from several.
unsafe impl Send for Cluster {}
// SAFETY: as above.
unsafe impl Sync for Cluster {}

impl Cluster {
    /// Connects to the cluster of that configuration, with these settings on top of it.
    pub(crate) fn connect(
        (name, user, conf): (&str, &str, &str),
        settings: &[(&str, String)],
    ) -> Result<Arc<Self>, Errno> {
        let library = libraries().map_err(|_| Errno(libc::ELIBACC))?;
        let rados = &library.rados;
        let (name, user, conf) = (
            given(name)?,
            given(&format!("client.{user}"))?,
            given(conf)?,
        );
        let mut handle = ptr::null_mut();
        // SAFETY: the texts end with zeroes, and the handle is written before it is read.
        check(unsafe { (rados.rados_create2)(&raw mut handle, name.as_ptr(), user.as_ptr(), 0) })?;
        // From here on the handle is given back by `drop`.
        let cluster = Self { handle, library };
        // SAFETY: the handle is one, and is not connected yet.
        check(unsafe { (rados.rados_conf_read_file)(handle, conf.as_ptr()) })?;
        for (option, value) in settings {
            let (option, value) = (given(option)?, given(value)?);
            // SAFETY: the handle is one, and the texts end with zeroes.
            check(unsafe { (rados.rados_conf_set)(handle, option.as_ptr(), value.as_ptr()) })?;
        }
        // SAFETY: the handle is one, and is not connected yet.
        check(unsafe { (rados.rados_connect)(handle) })?;
        Ok(Arc::new(cluster))
    }

    /// The cluster's id.
    pub(crate) fn fsid(&self) -> Result<String, Errno> {
        let mut buffer = [0_u8; 64];
        // SAFETY: the buffer has the length that is given.
        check(unsafe {
            (self.library.rados.rados_cluster_fsid)(
                self.handle,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        })?;
        Ok(of_buffer(&buffer))
    }

    /// By what the cluster knows this connection.
    pub(crate) fn address(&self) -> Result<String, Errno> {
        let mut address = ptr::null_mut();
        // SAFETY: the handle is connected, and the address is written before it is read.
        check(unsafe { (self.library.rados.rados_getaddrs)(self.handle, &raw mut address) })?;
        // SAFETY: librados has put a text there.
        let text = unsafe { taken(address) };
        // SAFETY: librados has allocated it by `strdup`, and nobody uses it any more.
        unsafe { libc::free(address.cast()) };
        Ok(text)
    }

    /// Has the cluster shut out the connection of that address, for so many seconds.
    pub(crate) fn shut_out(&self, address: &str, seconds: u32) -> Result<(), Errno> {
        let address = given(address)?;
        let add = self.library.rados.rados_blocklist_add;
        // SAFETY: the handle is connected, and the text ends with a zero.
        check(unsafe { add(self.handle, address.as_ptr(), seconds) }).map(drop)
    }

    /// What the monitors answer to a command of JSON.
    pub(crate) fn ask_monitors(&self, command: &str) -> Result<Vec<u8>, Errno> {
        let command: CString = given(command)?;
        let commands = [command.as_ptr()];
        let (mut out, mut out_len) = (ptr::null_mut(), 0);
        let (mut said, mut said_len) = (ptr::null_mut(), 0);
        let rados = &self.library.rados;
        // SAFETY: one command is given, there is no input, and the four places are written before they are read.
        let code = unsafe {
            (rados.rados_mon_command)(
                self.handle,
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
        let answer = if out.is_null() {
            Vec::new()
        } else {
            // SAFETY: librados has put so many bytes there.
            unsafe { std::slice::from_raw_parts(out.cast::<u8>(), out_len) }.to_vec()
        };
        for buffer in [out, said] {
            if !buffer.is_null() {
                // SAFETY: librados has allocated it, and nobody uses it any more.
                unsafe { (rados.rados_buffer_free)(buffer) };
            }
        }
        check(code)?;
        Ok(answer)
    }

    /// A pool by its name.
    pub(crate) fn pool(self: &Arc<Self>, name: &str) -> Result<Arc<Pool>, Errno> {
        let name = given(name)?;
        let mut handle = ptr::null_mut();
        // SAFETY: the name ends with a zero, and the handle is written before it is read.
        check(unsafe {
            (self.library.rados.rados_ioctx_create)(self.handle, name.as_ptr(), &raw mut handle)
        })?;
        Ok(Arc::new(Pool::new(handle, Arc::clone(self))))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SAFETY: pools hold the cluster, so none is left, and no image of theirs.
        unsafe { (self.library.rados.rados_shutdown)(self.handle) };
    }
}
