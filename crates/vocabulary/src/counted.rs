//! How many there are of something, in words.

/// `1 image`, `2 images`: what there is, for a thing whose plural takes an `s`.
pub fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(0, "image"), "0 images");
        assert_eq!(counted(1, "image"), "1 image");
        assert_eq!(counted(12, "image"), "12 images");
    }
}
