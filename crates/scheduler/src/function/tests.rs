//! What expressions come to, and that nothing that is written stops anything.

use proptest::prelude::*;

use super::*;
use crate::fixture::{function, pool, request};
use crate::pool::Capability;
use crate::{PoolState, Request};

fn setting() -> (PoolState, Request) {
    let mut pool = pool("alpha", 40.0);
    pool.allocated = 30.0;
    let mut request = request(5, &[("tier", "gold"), ("copies", "3")]);
    request.qos_specs.insert("maxIOPS".into(), "500".into());
    (pool, request)
}

fn result(text: &str) -> Result<Outcome, FunctionError> {
    let (pool, request) = setting();
    let variables = Variables {
        pool: &pool,
        request: &request,
    };
    Function::parse(text)?
        .evaluate(&variables)
        .map(|mut all| all.remove(0))
}

fn is(text: &str, expected: f64) {
    assert_eq!(result(text), Ok(Outcome::Number(expected)), "{text}");
}

fn says(text: &str, expected: bool) {
    assert_eq!(result(text), Ok(Outcome::Flag(expected)), "{text}");
}

#[test]
fn arithmetic_has_the_usual_ranks() {
    is("1 + 2 * 3", 7.0);
    is("(1 + 2) * 3", 9.0);
    is("2 ^ 3 ^ 2", 512.0);
    is("-2 ^ 2", -4.0);
    is("10 - 4 - 3", 3.0);
    is("12 / 4 / 3", 1.0);
    is("7 / 2", 3.5);
    is("--3", 3.0);
    is("+0.5 + 1", 1.5);
    is("2 ^ -1", 0.5);
    is("max(1, 2, 3) - min(4, 2) + abs(-5)", 6.0);
    is("max(1, min(9, 4) * 2)", 8.0);
}

#[test]
fn conditions_have_cinders_ranks() {
    says("1 < 2 and 2 < 3", true);
    says("1 < 2 < 3", true);
    says("1 < 3 < 3", false);
    says("not 1 > 2", false);
    says("not (1 > 2)", true);
    says("!0 == 1", true);
    says("1 > 2 || 3 <> 4", true);
    says("1 > 2 or 2 > 1 or 3 > 4", true);
    says("2 > 1 and 2 > 1 and 1 > 2", false);
    says("1 != 1 OR 2 == 2 AND 3 >= 4", false);
    is("2 > 1 ? 10 : 20", 10.0);
    is("1 > 2 ? 10 : 2 > 3 ? 20 : 30", 30.0);
    is("1 > 2 ? 1 / 0 : 7", 7.0);
}

#[test]
fn variables_come_from_pool_volume_type_and_qos() {
    is("stats.free_capacity_gb - stats.allocated_capacity_gb", 10.0);
    is("stats.reserved_percentage", 10.0);
    is("stats.total_capacity_gb / volume.size", 20.0);
    is("extra.copies * qos.maxIOPS", 1500.0);
    says("stats.host == 'node@alpha#volumes'", true);
    says("capabilities.volume_backend_name == \"alpha\"", true);
    says("capabilities.volume_backend_name == alpha", true);
    says("extra.tier == 'gold' and volume.size < 10", true);
    says("extra.tier == 5", false);
    says("extra.tier != 5", true);
    is("capabilities.replication_enabled + 1", 1.0);
}

#[test]
fn what_is_wrong_says_so() {
    let error = |text: &str| result(text).unwrap_err().to_string();
    assert_eq!(
        error("stats.colour > 1"),
        "asks for stats.colour, which is not known"
    );
    assert_eq!(
        error("planets.mass"),
        "asks for planets.mass, which is not known"
    );
    assert_eq!(error("1 / 0"), "has no finite result");
    assert_eq!(error("10 ^ 999"), "has no finite result");
    assert_eq!(error("extra.tier + 1"), "takes a text for a number");
    assert_eq!(error("extra.tier > 1"), "takes a text for a number");
    assert_eq!(error("sqrt(4)"), "calls sqrt, which does not exist");
    assert_eq!(error("1 +"), "has the end where a value is expected");
    assert_eq!(error("1 2"), "has 2 where the end is expected");
    assert_eq!(
        error("(1"),
        "has the end where a closing bracket is expected"
    );
    assert_eq!(error("1 ? 2"), "has the end where a colon is expected");
    assert_eq!(error("abs(1, 2)"), "has , where one argument is expected");
    assert_eq!(error("1 $ 2"), "is not understood at \"$ 2\"");
    assert_eq!(error("1.2.3"), "is not understood at \"1.2.3\"");
    assert_eq!(error("'open"), "is not understood at \"'open\"");
    assert_eq!(error(""), "has the end where a value is expected");
    // What does not decide is computed all the same.
    assert_eq!(
        error("1 > 0 or stats.colour"),
        "asks for stats.colour, which is not known"
    );
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(result(&deep), Err(FunctionError::TooDeep));
    assert_eq!(result(&"-".repeat(1000)), Err(FunctionError::TooDeep));
    assert_eq!(result(&"not ".repeat(500)), Err(FunctionError::TooDeep));
    assert_eq!(result(&"1 ? ".repeat(500)), Err(FunctionError::TooDeep));
    assert_eq!(result(&"2 ^ ".repeat(500)), Err(FunctionError::TooDeep));
    assert_eq!(result(&"1 + ".repeat(500)), Err(FunctionError::TooDeep));
    assert_eq!(result(&" ".repeat(5000)), Err(FunctionError::TooLong));
    let fine = format!("{}1{}", "(".repeat(60), ")".repeat(60));
    is(&fine, 1.0);
}

#[test]
fn each_name_of_a_protocol_is_tried() {
    let (mut pool, request) = setting();
    let names = crate::variants("FC");
    pool.capabilities
        .insert("storage_protocol".into(), Capability::List(names));
    let variables = Variables {
        pool: &pool,
        request: &request,
    };
    let asked = function("capabilities.storage_protocol == 'fc'");
    let expected = [false, false, true].map(Outcome::Flag);
    assert_eq!(asked.evaluate(&variables), Ok(expected.to_vec()));
    let other = function("volume.size");
    assert_eq!(other.evaluate(&variables).map(|all| all.len()), Ok(1));
}

proptest! {
    #[test]
    fn whatever_is_written_gets_an_answer(text in "[-+*/^()<>=!?:,. a-z0-9'\"&|]{0,80}") {
        let _ = result(&text);
    }

    #[test]
    fn words_of_the_language_in_any_order_get_an_answer(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "1", "2.5", "(", ")", "+", "-", "*", "/", "^", "<", ">=", "==", "and", "or", "not",
                "?", ":", ",", "max(", "abs(", "stats.free_capacity_gb", "volume.size", "'x'",
            ]),
            0..40,
        ),
    ) {
        if let Ok(Outcome::Number(number)) = result(&words.join(" ")) {
            prop_assert!(number.is_finite());
        }
    }

    #[test]
    fn sums_are_sums(a in -1e6..1e6, b in -1e6..1e6) {
        prop_assert_eq!(result(&format!("({a}) + ({b})")), Ok(Outcome::Number(a + b)));
        prop_assert_eq!(result(&format!("({a}) < ({b})")), Ok(Outcome::Flag(a < b)));
    }
}
