//! Libraries that are there or not, found when they are needed.

use std::ffi::{CStr, c_void};

/// A library, or a function of it, that this machine does not have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Missing {
    /// The library itself.
    #[error(
        "{library} cannot be loaded ({why}); install the package {package} of Ceph 16.2 or later"
    )]
    Library {
        /// Its file name.
        library: &'static str,
        /// The package that has it, as Debian and Red Hat call it.
        package: &'static str,
        /// What the loader says.
        why: String,
    },
    /// A function that Ceph 16.2 has.
    #[error(
        "{library} is older than Ceph 16.2: it has no {function}; install a newer package {package}"
    )]
    Function {
        /// The library.
        library: &'static str,
        /// Its package.
        package: &'static str,
        /// The function.
        function: String,
    },
}

/// A library that is loaded, and stays so until the process ends: its threads may run at any time.
pub(super) struct Library {
    handle: *mut c_void,
    name: &'static str,
    package: &'static str,
}

// SAFETY: the loader's handles may be used from any thread, and from several.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    pub(super) fn open(name: &'static CStr, package: &'static str) -> Result<Self, Missing> {
        let library = name.to_str().unwrap_or_default();
        // SAFETY: the name ends with a zero; the initialisers of Ceph's libraries may run on any thread.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: `dlerror` gives null or a text that lives until this thread's next call of its kind.
            let why = unsafe {
                let text = libc::dlerror();
                if text.is_null() {
                    "no reason given".into()
                } else {
                    CStr::from_ptr(text).to_string_lossy()
                }
            };
            let why = why.into_owned();
            return Err(Missing::Library {
                library,
                package,
                why,
            });
        }
        Ok(Self {
            handle,
            name: library,
            package,
        })
    }

    /// The function of that name, if it has one.
    ///
    /// # Safety
    /// `F` must be the type of a pointer to a function with the prototype that the library's header gives it.
    pub(super) unsafe fn optional<F: Copy>(&self, name: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // SAFETY: the handle is open, and the name ends with a zero.
        let symbol = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        // SAFETY: it is not null, has the size of `F`, and is what the caller says.
        (!symbol.is_null()).then(|| unsafe { std::mem::transmute_copy(&symbol) })
    }

    /// The function of that name.
    ///
    /// # Safety
    /// As for [`Self::optional`].
    pub(super) unsafe fn required<F: Copy>(&self, name: &CStr) -> Result<F, Missing> {
        // SAFETY: the caller's promise is the same.
        let found = unsafe { self.optional(name) };
        found.ok_or_else(|| Missing::Function {
            library: self.name,
            package: self.package,
            function: name.to_string_lossy().into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_says_what_to_install() {
        let missing = Library::open(c"librbd.so.99", "librbd1").err().unwrap();
        let text = missing.to_string();
        assert!(text.starts_with("librbd.so.99 cannot be loaded"), "{text}");
        assert!(
            text.ends_with("install the package librbd1 of Ceph 16.2 or later"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_function_is_no_crash() {
        let library = Library::open(c"libc.so.6", "libc6").ok().unwrap();
        // SAFETY: nothing is called.
        let none = unsafe { library.optional::<unsafe extern "C" fn()>(c"rbd_of_the_year_2100") };
        assert!(none.is_none());
        // SAFETY: nothing is called.
        let none = unsafe { library.required::<unsafe extern "C" fn()>(c"rbd_of_the_year_2100") };
        let text = none.unwrap_err().to_string();
        assert!(text.contains("has no rbd_of_the_year_2100"), "{text}");
    }
}
