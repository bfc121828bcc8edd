use super::*;

fn parse(annotations: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let (settings, errors) = Settings::parse(annotations.iter().copied());
    let errors = errors
        .iter()
        .map(|error| format!("{}: {error}", error.key()))
        .collect();
    (settings, errors)
}

#[test]
fn every_annotation_is_understood() {
    let (settings, errors) = parse(&[
        ("wakegate.dev/scale-to-zero", "true"),
        ("wakegate.dev/min-replicas", "1"),
        ("wakegate.dev/max-replicas", "20"),
        ("wakegate.dev/cooldown", "5m"),
        ("wakegate.dev/initial-cooldown", "0s"),
        ("wakegate.dev/target-concurrency", "0.5"),
        ("wakegate.dev/target-rate", "30"),
        ("wakegate.dev/rate-window", "1m30s"),
        ("wakegate.dev/hold-timeout", "500ms"),
        ("wakegate.dev/max-held", "10"),
        ("wakegate.dev/overflow", "429"),
        ("wakegate.dev/no-wake-paths", "/healthz, /ping"),
        ("wakegate.dev/paused", "false"),
        ("wakegate.dev/scaled-object", "external"),
        (
            "wakegate.dev/scale-target",
            "argoproj.io/v1alpha1/Rollout/web",
        ),
        ("example.com/scale-to-zero", "of someone else"),
    ]);
    assert_eq!(errors, Vec::<String>::new());
    let expected = Settings {
        scale_to_zero: Some(true),
        min_replicas: Some(1),
        max_replicas: Some(20),
        cooldown: Some(Duration::from_mins(5)),
        initial_cooldown: Some(Duration::ZERO),
        target_concurrency: Some(0.5),
        target_rate: Some(30.0),
        rate_window: Some(Duration::from_secs(90)),
        hold_timeout: Some(Duration::from_millis(500)),
        max_held: Some(10),
        overflow: Some(Overflow::TooManyRequests),
        no_wake_paths: Some(vec!["/healthz".to_owned(), "/ping".to_owned()]),
        paused: Some(false),
        scaled_object: Some(ScaledObjectBy::External),
        scale_target: Some(ScaleTarget {
            api_version: Some("argoproj.io/v1alpha1".to_owned()),
            kind: "Rollout".to_owned(),
            name: "web".to_owned(),
        }),
    };
    assert_eq!(settings, expected);
}

#[test]
fn what_is_wrong_is_said_and_the_rest_counts() {
    let (settings, errors) = parse(&[
        ("wakegate.dev/cooldown", "5 minutes"),
        ("wakegate.dev/hold-timeout", "20s"),
        ("wakegate.dev/overflow", "500"),
    ]);
    assert_eq!(settings.hold_timeout, Some(Duration::from_secs(20)));
    assert_eq!((settings.cooldown, settings.overflow), (None, None));
    assert_eq!(
        errors,
        [
            "wakegate.dev/cooldown: \"5 minutes\" is not a duration of at most 24h, such as 300s or 5m",
            "wakegate.dev/overflow: \"500\" is not the status 503 or 429",
        ]
    );
}

#[test]
fn an_unknown_name_gets_the_nearest_or_all() {
    let (_, errors) = parse(&[("wakegate.dev/hold-time-out", "20s")]);
    assert_eq!(
        errors,
        [
            "wakegate.dev/hold-time-out: no such annotation (its value is \"20s\"); did you mean wakegate.dev/hold-timeout?"
        ]
    );
    let (_, errors) = parse(&[("wakegate.dev/zzz", "1")]);
    assert!(
        errors
            .concat()
            .contains("known are scale-to-zero, hold-timeout"),
        "{errors:?}"
    );
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (name, value) in [
        ("scale-to-zero", "yes"),
        ("min-replicas", "-1"),
        ("max-replicas", "0"),
        ("cooldown", "25h"),
        ("target-concurrency", "0"),
        ("target-concurrency", "NaN"),
        ("target-rate", "inf"),
        ("rate-window", "0s"),
        ("hold-timeout", "0s"),
        ("max-held", "0"),
        ("no-wake-paths", "healthz"),
        ("no-wake-paths", ","),
        ("scaled-object", "internal"),
        ("scale-target", "web"),
        ("scale-target", "deployment/web"),
        ("scale-target", "apps/Deployment/web"),
        ("scale-target", "apps//Deployment/web"),
    ] {
        let (settings, errors) = parse(&[(&format!("{PREFIX}{name}"), value)]);
        assert_eq!(errors.len(), 1, "{name}: {value}");
        assert_eq!(settings, Settings::default(), "{name}: {value}");
    }
}

#[test]
fn a_maximum_below_the_minimum_gives_way() {
    let (settings, errors) = parse(&[
        ("wakegate.dev/min-replicas", "5"),
        ("wakegate.dev/max-replicas", "3"),
    ]);
    assert_eq!(
        (settings.min_replicas, settings.max_replicas),
        (Some(5), None)
    );
    assert_eq!(
        errors,
        ["wakegate.dev/max-replicas: \"3\" is not at least min-replicas"]
    );
}

#[test]
fn every_name_is_one_that_can_be_set() {
    for name in names() {
        assert!(
            !matches!(
                Settings::default().set(name, "?"),
                Err(Refusal::Name) | Ok(())
            ),
            "{name}"
        );
    }
}
