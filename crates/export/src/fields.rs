//! Numbers and texts as the protocol writes them, read from front to back.

/// How many bytes a name may have.
pub(crate) const NAME_MAX: usize = 4 << 10;

/// Bytes of a peer, of which the first ones come first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

/// The bytes make no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadField {
    /// They end too early, too late, or are not text.
    Invalid,
    /// A name is too long.
    TooBig,
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadField> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(BadField::Invalid)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number of two bytes.
    pub(crate) fn u16(&mut self) -> Result<u16, BadField> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of four bytes.
    pub(crate) fn u32(&mut self) -> Result<u32, BadField> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number of eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64, BadField> {
        self.array().map(u64::from_be_bytes)
    }

    /// A text with its length before it.
    pub(crate) fn text(&mut self) -> Result<&'a str, BadField> {
        let len = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(len).ok_or(BadField::Invalid)?;
        self.0 = rest;
        name(text)
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), BadField> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(BadField::Invalid)
        }
    }
}

/// Text of a length that names may have.
pub(crate) fn name(bytes: &[u8]) -> Result<&str, BadField> {
    if bytes.len() > NAME_MAX {
        return Err(BadField::TooBig);
    }
    std::str::from_utf8(bytes).map_err(|_| BadField::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_where_they_say() {
        let mut fields = Fields(b"\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x02ab");
        assert_eq!(fields.u16(), Ok(1));
        assert_eq!(fields.u32(), Ok(2));
        assert_eq!(fields.u64(), Ok(3));
        assert_eq!(fields.text(), Ok("ab"));
        assert_eq!(fields.end(), Ok(()));
        assert_eq!(Fields(b"\0").u16(), Err(BadField::Invalid));
        assert_eq!(Fields(b"\0\0\0\x02a").text(), Err(BadField::Invalid));
        assert_eq!(Fields(b"x").end(), Err(BadField::Invalid));
        assert_eq!(name(&[b'x'; NAME_MAX + 1]), Err(BadField::TooBig));
        assert_eq!(name(&[0xff]), Err(BadField::Invalid));
    }
}
