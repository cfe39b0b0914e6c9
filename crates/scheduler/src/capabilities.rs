//! Extra specs against capabilities, in the language of Cinder's `CapabilitiesFilter`.

use crate::pool::Capability;

/// Whether `wanted`, the value of an extra spec, fits `found`. Operators are `<is>`, `<in>`, `<or>`,
/// `=`, `==`, `!=`, `>=`, `<=`, `s==`, `s!=`, `s<`, `s<=`, `s>`, `s>=`; without one the texts are
/// compared.
pub fn matches(wanted: &str, found: &Capability) -> bool {
    match found {
        Capability::List(items) => items.iter().any(|item| fits(wanted, item)),
        Capability::Flag(flag) => fits(wanted, if *flag { "True" } else { "False" }),
        Capability::Number(number) => fits(wanted, &number.to_string()),
        Capability::Text(text) => fits(wanted, text),
    }
}

fn fits(wanted: &str, found: &str) -> bool {
    let wanted = wanted.trim();
    let mut words = wanted.split_whitespace();
    let operator = words.next().unwrap_or_default();
    let operand = wanted.strip_prefix(operator).unwrap_or_default().trim();
    let number = |text: &str| text.parse::<f64>().ok();
    let numbers = number(operand).zip(number(found));
    match operator {
        "<is>" => is_true(operand) == is_true(found),
        "<in>" => found.contains(operand),
        "<or>" => wanted
            .split("<or>")
            .map(str::trim)
            .any(|one| !one.is_empty() && one == found),
        "=" | ">=" => numbers.is_some_and(|(wanted, found)| found >= wanted),
        "==" => numbers.is_some_and(|(wanted, found)| (found - wanted).abs() < f64::EPSILON),
        "!=" => numbers.is_some_and(|(wanted, found)| (found - wanted).abs() >= f64::EPSILON),
        "<=" => numbers.is_some_and(|(wanted, found)| found <= wanted),
        "s==" => found == operand,
        "s!=" => found != operand,
        "s<" => found < operand,
        "s<=" => found <= operand,
        "s>" => found > operand,
        "s>=" => found >= operand,
        _ => found == wanted,
    }
}

/// Whether it is one of the words for yes, whatever their case; everything else means no.
///
/// Source: `oslo_utils.strutils.bool_from_string`.
fn is_true(text: &str) -> bool {
    let words = ["true", "t", "yes", "y", "on", "1"];
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn opposites_never_agree(wanted in -99_i32..99, found in -99_i32..99) {
            let number = Capability::Number(f64::from(found));
            let says = |operator: &str| matches(&format!("{operator} {wanted}"), &number);
            assert_ne!(says("=="), says("!="));
            assert_eq!(says("=="), says(">=") && says("<="));
            assert_eq!(says("="), says(">="));
        }

        #[test]
        fn whatever_is_written_gets_an_answer(wanted in ".{0,40}", found in ".{0,40}") {
            matches(&wanted, &Capability::Text(found.clone()));
            matches(&wanted, &Capability::List(vec![found]));
            matches(&wanted, &Capability::Number(f64::NAN));
        }
    }

    #[test]
    fn operators_do_what_their_names_say() {
        let text = |text: &str| Capability::Text(text.to_owned());
        let cases = [
            ("<is> True", Capability::Flag(true), true),
            ("<is> true", Capability::Flag(true), true),
            ("<is> False", Capability::Flag(true), false),
            ("<in> async", Capability::List(vec!["async".into()]), true),
            ("<or> ssd <or> hdd", text("hdd"), true),
            ("<or> ssd <or> hdd", text("tape"), false),
            (">= 3", Capability::Number(4.0), true),
            ("<= 3", Capability::Number(4.0), false),
            ("== 4", Capability::Number(4.0), true),
            ("!= 4", Capability::Number(4.0), false),
            ("= 3", Capability::Number(4.0), true),
            ("s== nbd", text("nbd"), true),
            ("s!= nbd", text("nbd"), false),
            ("blocks", text("blocks"), true),
            ("blocks", text("stones"), false),
            (">= many", Capability::Number(4.0), false),
            ("!= many", Capability::Number(4.0), false),
            ("<is> perhaps", Capability::Flag(false), true),
            ("<is> YES", text("on"), true),
            ("<or> ssd", text("ssd"), true),
            ("<or> ", text(""), false),
            (
                "blocks",
                Capability::List(vec!["stones".into(), "blocks".into()]),
                true,
            ),
            ("blocks", Capability::List(vec![]), false),
            ("s< b", text("a"), true),
            ("s>= b", text("a"), false),
            ("3", Capability::Number(3.0), true),
            ("", text(""), true),
        ];
        for (wanted, found, expected) in cases {
            assert_eq!(
                matches(wanted, &found),
                expected,
                "{wanted} against {found:?}"
            );
        }
    }
}
