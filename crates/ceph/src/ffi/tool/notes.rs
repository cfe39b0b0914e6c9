//! What users note about an image.

use std::collections::BTreeMap;

use super::super::text::given;
use super::open::OpenImage;
use super::{Trouble, calls, check};

/// Notes that are read at once.
const AT_ONCE: u64 = 256;
/// The most room that a list gets, in bytes.
const MOST: usize = 1 << 26;

fn texts(bytes: &[u8], len: usize) -> Vec<String> {
    let bytes = bytes.get(..len).unwrap_or(bytes);
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if len == 0 {
        return Vec::new();
    }
    let texts = bytes.split(|byte| *byte == 0);
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

impl OpenImage {
    /// All of them, by key.
    pub fn notes(&self) -> Result<BTreeMap<String, String>, Trouble> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let after = all.last_key_value().map_or("", |(key, _)| key).to_owned();
            let some = self.some_notes(&after)?;
            let count = some.len() as u64;
            all.extend(some);
            if count < AT_ONCE {
                return Ok(all);
            }
        }
    }

    fn some_notes(&self, after: &str) -> Result<Vec<(String, String)>, Trouble> {
        let (call, after) = (calls::rbd_metadata_list()?, given(after)?);
        let mut room = 4096;
        loop {
            let (mut keys, mut values) = (vec![0_u8; room], vec![0_u8; room]);
            let (mut keys_len, mut values_len) = (room, room);
            // SAFETY: the image is open, the text ends with a zero, and both buffers have the room that is given.
            let code = unsafe {
                call(
                    self.handle(),
                    after.as_ptr(),
                    AT_ONCE,
                    keys.as_mut_ptr().cast(),
                    &raw mut keys_len,
                    values.as_mut_ptr().cast(),
                    &raw mut values_len,
                )
            };
            match check(code) {
                Ok(_) => {
                    let keys = texts(&keys, keys_len).into_iter();
                    return Ok(keys.zip(texts(&values, values_len)).collect());
                }
                Err(Trouble::Errno(libc::ERANGE)) if room < MOST => room *= 4,
                Err(error) => return Err(error),
            }
        }
    }

    /// One of them.
    pub fn note(&self, key: &str) -> Result<Option<String>, Trouble> {
        Ok(self.image.note(key)?)
    }

    /// Writes one.
    pub fn set_note(&self, key: &str, value: &str) -> Result<(), Trouble> {
        Ok(self.image.set_note(key, value)?)
    }

    /// Removes one; none is no error.
    pub fn remove_note(&self, key: &str) -> Result<(), Trouble> {
        Ok(self.image.remove_note(key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_may_be_empty() {
        assert_eq!(texts(b"a\0\0c\0____", 5), ["a", "", "c"]);
        assert_eq!(texts(b"\0___", 1), [""]);
        assert_eq!(texts(b"____", 0), [""; 0]);
    }
}
