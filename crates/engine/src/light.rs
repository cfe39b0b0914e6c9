//! Values of which a copy costs next to nothing until one of the two changes.
//!
//! A checkpoint copies what has changed under the commit lock, and that may be a lot.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value; whoever changes it while there is a copy gets his own.
#[derive(Clone, Debug)]
pub(crate) struct Light<T>(Arc<T>);

impl<T> From<T> for Light<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Light<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Light<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Serialize> Serialize for Light<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Light<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Heavy<'a> {
        value: u8,
        copies: &'a Cell<u32>,
    }

    impl Clone for Heavy<'_> {
        fn clone(&self) -> Self {
            self.copies.set(self.copies.get() + 1);
            Self { ..*self }
        }
    }

    #[test]
    fn a_copy_costs_nothing_before_one_of_the_two_changes() {
        let copies = Cell::new(0);
        let mut value = Light::from(Heavy {
            value: 1,
            copies: &copies,
        });
        let copy = value.clone();
        assert_eq!(copies.get(), 0);
        value.value = 2;
        value.value = 3;
        assert_eq!((copy.value, value.value, copies.get()), (1, 3, 1));
    }
}
