//! What fits reads as the parser reads it, and all else does not fit.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SAMPLE: &str = r#"{"a": {"b":["x",7, null]},"c":"é","n":12,"on":true,"skipped":"y"}"#;

fn role(path: &[Step<'_>]) -> Option<usize> {
    match path {
        [Step::Key("a"), Step::Key("b"), Step::Item(0)] => Some(0),
        [Step::Key("a"), Step::Key("b"), Step::Item(1)] => Some(1),
        [Step::Key("c")] => Some(2),
        [Step::Key("n")] => Some(3),
        _ => None,
    }
}

fn shapes() -> Shapes<()> {
    let mut shapes = Shapes::default();
    learn(&mut shapes, SAMPLE);
    shapes
}

fn learn(shapes: &mut Shapes<()>, text: &str) {
    shapes.learn(text, (), role, |_: &[Option<&str>; 4]| true);
}

fn fit<'a>(shapes: &mut Shapes<()>, text: &'a str) -> Option<[Option<&'a str>; 4]> {
    shapes.fit(text).map(|(values, ())| values)
}

/// What the parser makes of the values with a role.
fn parsed(text: &str) -> Option<[String; 4]> {
    let json: Value = serde_json::from_str(text).ok()?;
    let values = ["/a/b/0", "/a/b/1", "/c", "/n"].map(|path| match json.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    });
    Some(values)
}

#[test]
fn values_are_cut_out() {
    let mut shapes = shapes();
    assert_eq!(fit(&mut shapes, SAMPLE), Some([Some("x"), Some("7"), Some("é"), Some("12")]));
    let other =
        r#"{"a": {"b":["",0, null]},"c":"ünd","n":9999999999999999999,"on":true,"skipped":"y"}"#;
    let values = [Some(""), Some("0"), Some("ünd"), Some("9999999999999999999")];
    assert_eq!(fit(&mut shapes, other), Some(values));
}

#[test]
fn what_is_not_read_may_be_another_once_it_was() {
    let mut shapes = shapes();
    let other = SAMPLE.replace("\"y\"", "\"z\"");
    assert_eq!(fit(&mut shapes, &other), None);
    learn(&mut shapes, &other);
    let third = SAMPLE.replace("\"y\"", "\"\"");
    for text in [SAMPLE, &other, &third] {
        assert!(fit(&mut shapes, text).is_some(), "{text}");
    }
    assert_eq!(shapes.known.len(), 1);
}

#[test]
fn whatever_else_differs_does_not_fit() {
    for (from, to) in [
        ("\"x\"", "\"\\u0078\""),
        ("\"x\"", "\"\n\""),
        ("\"x\"", "x"),
        ("\"x\"", "7"),
        ("7", "\"7\""),
        ("7", "07"),
        ("7", "-7"),
        ("7", "7.0"),
        ("7", "7e1"),
        ("7", ""),
        ("12", "18446744073709551615"),
        ("null", "7"),
        ("true", "false"),
        ("\"c\"", "\"d\""),
        (" {", "{"),
        ("\"y\"}", "\"y\"} "),
        ("\"y\"}", "\"y\""),
    ] {
        let text = SAMPLE.replacen(from, to, 1);
        assert_ne!(text, SAMPLE);
        assert_eq!(fit(&mut shapes(), &text), None, "{text}");
    }
}

#[test]
fn no_template_is_made_of_what_a_template_cannot_tell() {
    for text in [
        SAMPLE.replace("12", "1.5"),
        SAMPLE.replace("12", "18446744073709551615"),
        SAMPLE.replace("\"c\"", "\"\\u0063\""),
    ] {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &text);
        assert_eq!(fit(&mut shapes, &text), None, "{text}");
    }
}

#[test]
fn no_template_is_made_of_what_the_parser_read_otherwise() {
    let mut shapes = Shapes::default();
    shapes.learn(SAMPLE, (), role, |values: &[Option<&str>; 4]| values[0] == Some("y"));
    assert_eq!(fit(&mut shapes, SAMPLE), None);
}

#[test]
fn few_templates_are_kept_and_the_last_one_used_stands_first() {
    let mut shapes = Shapes::default();
    let other = |number: usize| format!("{{\"n\":1,\"key{number}\":null}}");
    for number in 0..2 * SHAPES_MAX {
        shapes.rest = 0;
        learn(&mut shapes, &other(number));
        assert!(shapes.fit::<4>(&other(0)).is_some(), "it is of use each time");
    }
    assert_eq!(shapes.known.len(), SHAPES_MAX);
}

#[test]
fn what_never_fits_is_looked_at_ever_more_rarely() {
    let mut shapes = Shapes::default();
    let looked = (0..10_000).filter(|number| {
        let before = shapes.rest;
        learn(&mut shapes, &format!("{{\"key{number}\":1}}"));
        before == 0
    });
    assert!(looked.count() < 30);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any bytes in the place of any others.
    #[test]
    fn what_fits_reads_as_the_parser_reads_it(
        from in 0..SAMPLE.len(),
        length in 0..4_usize,
        put in prop_oneof!["[\\\\\" \t\n{}\\[\\]:,0-9a-z.e-]{0,4}", ".{0,3}"],
    ) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        bytes.splice(from..(from + length).min(SAMPLE.len()), put.into_bytes());
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let mut shapes = shapes();
        learn(&mut shapes, &SAMPLE.replace("\"y\"", "\"z\""));
        if let Some(values) = fit(&mut shapes, &text) {
            let values = values.map(|value| value.unwrap_or_default().to_owned());
            prop_assert_eq!(Some(values), parsed(&text));
        }
    }
}
