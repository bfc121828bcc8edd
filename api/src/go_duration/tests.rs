use super::*;

#[track_caller]
fn check(text: &str, expected: Result<u64, GoDurationError>) {
    let expected = expected.map(Duration::from_nanos);
    assert_eq!(GoDuration::from(text).parse(), expected, "{text:?}");
}

#[test]
fn what_go_parses_is_parsed() {
    const SEC: u64 = 1_000_000_000;
    for (text, nanos) in [
        ("0", 0),
        ("-0", 0),
        ("0s", 0),
        ("-0s", 0),
        ("+5s", 5 * SEC),
        ("1m30s", 90 * SEC),
        ("30s1m", 90 * SEC),
        ("1h", 3_600 * SEC),
        ("500ms", SEC / 2),
        ("1.5s", 1_500_000_000),
        (".5s", SEC / 2),
        ("5.s", 5 * SEC),
        ("100ns", 100),
        ("7us", 7_000),
        ("7\u{b5}s", 7_000),
        ("7\u{3bc}s", 7_000),
        ("1.5h0.5m", 5_430 * SEC),
        ("0000000000000000000000001s", SEC),
        ("0.1234567891234567899999s", 123_456_789),
        ("9223372036854775807ns", 9_223_372_036_854_775_807),
    ] {
        check(text, Ok(nanos));
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for text in [
        "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "1 s", " 1s", "1s ", "1S", "1m-30s",
        "--1s", "1e3s", "1_000s", "s1", "1mé", "\u{661}s",
    ] {
        check(text, Err(GoDurationError::Malformed));
    }
}

#[test]
fn what_is_out_of_bounds_says_so() {
    for text in [
        "9223372036854775808ns",
        "2562048h",
        "9999999999999999999999s",
        "9223372036s9223372036s",
    ] {
        check(text, Err(GoDurationError::TooLong));
    }
    for text in ["-1s", "-1h30m", "-.5s", "-1ns"] {
        check(text, Err(GoDurationError::Negative));
    }
}

#[test]
fn durations_are_written_as_go_writes_them_and_come_back() {
    for (nanos, text) in [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u{b5}s"),
        (2_200_000, "2.2ms"),
        (500_000_000, "500ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (3_661_000_000_001, "1h1m1.000000001s"),
    ] {
        let written = GoDuration::from(Duration::from_nanos(nanos));
        assert_eq!(written.to_string(), text);
        check(text, Ok(nanos));
    }
}

#[test]
fn any_text_is_kept_as_it_was_written() {
    let json = "\"next week\"";
    let duration: GoDuration = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&duration).unwrap(), json);
    assert_eq!(duration.as_str(), "next week");
    assert_eq!(duration.parse(), Err(GoDurationError::Malformed));
}
