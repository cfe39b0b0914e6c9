//! Extra specs against capabilities, in the language of Cinder's `CapabilitiesFilter`.

use crate::pool::Capability;

/// Whether `wanted`, the value of an extra spec, fits `found`. Operators are `<is>`, `<in>`, `<or>`,
/// `=`, `==`, `!=`, `>=`, `<=`, `s==`, `s!=`, `s<`, `s<=`, `s>`, `s>=`; without one the texts are
/// compared. Of what follows an operator, only the first word counts. In a text, `<in>` looks for a part of
/// it, in a list for one of its texts: who wants `sync` is not served by `async`.
///
/// Source: `cinder.scheduler.filters.extra_specs_ops`.
pub fn matches(wanted: &str, found: &Capability) -> bool {
    match found {
        Capability::List(items) => match wanted.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["<in>", operand, ..] => items.iter().any(|item| item == operand),
            _ => items.iter().any(|item| fits(wanted, item)),
        },
        Capability::Flag(flag) => fits(wanted, if *flag { "True" } else { "False" }),
        Capability::Number(number) => fits(wanted, &number.to_string()),
        Capability::Text(text) => fits(wanted, text),
        Capability::Map(_) => false,
    }
}

fn fits(wanted: &str, found: &str) -> bool {
    let mut words = wanted.split_whitespace();
    let operator = words.next().unwrap_or_default();
    let method: fn(&str, &str) -> bool = match operator {
        "<or>" => return alternatives(wanted).any(|one| one == found),
        "<is>" => |operand, found| is_true(operand) == is_true(found),
        "<in>" => |operand, found| found.contains(operand),
        "=" | ">=" => |operand, found| numbers(operand, found, |wanted, found| found >= wanted),
        "<=" => |operand, found| numbers(operand, found, |wanted, found| found <= wanted),
        "==" => |operand, found| numbers(operand, found, same),
        "!=" => |operand, found| numbers(operand, found, |wanted, found| !same(wanted, found)),
        "s==" => |operand, found| found == operand,
        "s!=" => |operand, found| found != operand,
        "s<" => |operand, found| found < operand,
        "s<=" => |operand, found| found <= operand,
        "s>" => |operand, found| found > operand,
        "s>=" => |operand, found| found >= operand,
        _ => return found == wanted.trim(),
    };
    words.next().is_some_and(|operand| method(operand, found))
}

fn alternatives(wanted: &str) -> impl Iterator<Item = &str> {
    let parts = wanted.split("<or>").map(str::trim);
    parts.filter(|one| !one.is_empty())
}

fn numbers(operand: &str, found: &str, fits: fn(f64, f64) -> bool) -> bool {
    let parse = |text: &str| text.trim().parse::<f64>().ok();
    let both = parse(operand).zip(parse(found));
    both.is_some_and(|(wanted, found)| fits(wanted, found))
}

fn same(wanted: f64, found: f64) -> bool {
    (found - wanted).abs() < f64::EPSILON
}

/// The words for yes and for no, whatever their case.
///
/// Source: `oslo_utils.strutils.TRUE_STRINGS`, `FALSE_STRINGS`.
const YES: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];
const NO: [&str; 6] = ["false", "f", "no", "n", "off", "0"];

/// Whether it is one of the words for yes; everything else means no.
///
/// Source: `oslo_utils.strutils.bool_from_string`.
fn is_true(text: &str) -> bool {
    YES.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether the value of an extra spec says yes or no: `<is>` and a word for that. [`matches`] takes any
/// other word for no, and a word alone for a text.
pub fn says_yes_or_no(wanted: &str) -> bool {
    let mut words = YES.iter().chain(&NO);
    match wanted.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["<is>", said] => words.any(|word| said.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
    fn yes_and_no_are_said_with_an_operator() {
        for text in ["<is> True", "<is> false", " <is>  YES ", "<is> 0"] {
            assert!(says_yes_or_no(text), "{text}");
        }
        for text in [
            "",
            "True",
            "yes",
            "<is>",
            "<is> perhaps",
            "<is> True no",
            "<in> True",
        ] {
            assert!(!says_yes_or_no(text), "{text}");
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
            ("<in> sync", Capability::List(vec!["async".into()]), false),
            ("<in> sync", text("async"), true),
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
            ("s== blocks and more", text("blocks"), true),
            ("<in>", text("anything"), false),
            ("<is>", Capability::Flag(false), false),
            ("!=", Capability::Number(3.0), false),
            ("s>= a", text("b"), true),
            ("s<= b", text("b"), true),
            ("s> b", text("b"), false),
            ("anything", Capability::Map(BTreeMap::new()), false),
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
