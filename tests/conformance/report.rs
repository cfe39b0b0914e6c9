//! What a run of the suite said of each test.

use std::collections::BTreeMap;

/// How a test, or what is around the tests of a class, ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It held.
    Passed,
    /// It failed.
    Failed,
    /// It was not tried.
    Skipped,
}

/// The lines of `subunit2csv`, by the name without the tags in brackets.
pub(crate) fn read(csv: &str) -> BTreeMap<String, Outcome> {
    csv.lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (name, rest) = match line.strip_prefix('"') {
                Some(quoted) => quoted.split_once("\","),
                None => line.split_once(','),
            }
            .unwrap_or_else(|| panic!("no report: {line}"));
            let outcome = match rest.split(',').next() {
                Some("success") => Outcome::Passed,
                Some("skip") => Outcome::Skipped,
                _ => Outcome::Failed,
            };
            (plain(name).to_owned(), outcome)
        })
        .collect()
}

/// A test's name without its tags.
pub(crate) fn plain(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

#[test]
fn names_lose_their_tags_and_quotes() {
    let csv = "test,status,start_time,stop_time\n\
               \"a.b[id-1,smoke]\",success,x,y\n\
               a.c[id-2],fail,x,y\n\
               setUpClass (a.D),skip,x,y\n";
    let expected = [
        ("a.b", Outcome::Passed),
        ("a.c", Outcome::Failed),
        ("setUpClass (a.D)", Outcome::Skipped),
    ];
    let expected = expected.map(|(name, outcome)| (name.to_owned(), outcome));
    assert_eq!(read(csv), BTreeMap::from(expected));
}
