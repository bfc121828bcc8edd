//! All cases there are.

mod random;

use std::time::Duration;

use anyhow::{Result, ensure};
use wakegate_e2e::Conduct;

use crate::args::Args;
use crate::case::Case;
use crate::faults::configuration::Change;
use crate::faults::{Fault, Part};
use crate::scene::{Configuration, Setup};

/// Long enough for what is killed to be missed.
const A_WHILE: Duration = Duration::from_secs(3);
/// Longer than the 3 s of silence after which a filter gives a stream up.
const TEN_SECONDS: Duration = Duration::from_secs(10);
/// Some turns of sleeping and waking.
const SOME_TURNS: Duration = Duration::from_secs(6);
/// One way.
const LATENCY: Duration = Duration::from_millis(150);
/// What the quick cases make of a longer span.
const QUICK: Duration = Duration::from_secs(4);

/// The cases of a quick look: one of each kind.
const QUICK_CASES: [&str; 6] = [
    "kill-scaler",
    "stop-control-plane",
    "backend-resets",
    "endpoints-late-2s",
    "ecds-version",
    "odd-requests",
];

/// The cases that were asked for. What is named is run, quick or not.
pub(crate) fn chosen(args: &Args, seed: u64) -> Result<Vec<Case>> {
    let mut cases = named();
    cases.extend(random::case(seed, args.random));
    for name in &args.cases {
        let is_known = cases.iter().any(|case| case.name == *name);
        ensure!(is_known, "no case is called {name}: see --list");
    }
    cases.retain(|case| match args.cases.as_slice() {
        [] => !args.quick || QUICK_CASES.contains(&case.name.as_str()),
        names => names.contains(&case.name),
    });
    for (_, span) in cases.iter_mut().flat_map(|case| &mut case.faults) {
        if args.quick {
            *span = QUICK.min(*span);
        }
    }
    Ok(cases)
}

fn named() -> Vec<Case> {
    let kinds = [
        daemons(),
        backends(),
        endpoints(),
        network(),
        configuration(),
        others(),
    ];
    kinds.into_iter().flatten().collect()
}

fn daemons() -> Vec<Case> {
    let kill = |name: &str, part: Part| {
        let about = format!("SIGKILL of {part}");
        case(name, &about, (Fault::Kill(part), A_WHILE))
    };
    let stop = |name: &str, part: Part| {
        let about = format!("SIGSTOP of {part}");
        case(name, &about, (Fault::Stop(part), TEN_SECONDS))
    };
    vec![
        kill("kill-scaler", Part::Scaler),
        kill("kill-control-plane", Part::ControlPlane),
        kill("kill-pods", Part::Pods),
        stop("stop-scaler", Part::Scaler),
        stop("stop-control-plane", Part::ControlPlane),
        stop("stop-pods", Part::Pods),
    ]
}

fn backends() -> Vec<Case> {
    let resets = Fault::Network(Part::Pods, Conduct::Cut);
    let hangs = Fault::Network(Part::Pods, Conduct::Stall);
    vec![
        case(
            "backend-resets",
            "a backend accepts and resets",
            (resets, SOME_TURNS),
        )
        .relayed(),
        case(
            "backend-hangs",
            "a backend accepts and hangs",
            (hangs, SOME_TURNS),
        )
        .relayed(),
        case(
            "backend-503",
            "a backend answers 503 itself",
            (Fault::OwnErrors, SOME_TURNS),
        ),
    ]
}

fn endpoints() -> Vec<Case> {
    let late = |name: &str, late: Duration| {
        let about = format!("EDS {} ms behind readiness", late.as_millis());
        let mut case = case(name, &about, (Fault::Lasts, late + SOME_TURNS));
        case.setup.endpoints_late = Some(late);
        case.setup.hold += late;
        case
    };
    vec![
        late("endpoints-late-100ms", Duration::from_millis(100)),
        late("endpoints-late-2s", Duration::from_secs(2)),
        late("endpoints-late-10s", Duration::from_secs(10)),
    ]
}

fn network() -> Vec<Case> {
    let network = |name: &str, part: Part, conduct: Conduct, span: Duration| {
        let what = match conduct {
            Conduct::Pass => "no fault on the way".to_owned(),
            Conduct::Delay(delay) => format!("{} ms of latency each way", delay.as_millis()),
            Conduct::Stall => "no packet comes through".to_owned(),
            Conduct::Cut => "all connections reset".to_owned(),
        };
        let about = format!("{what} between Envoy and {part}");
        case(name, &about, (Fault::Network(part, conduct), span)).relayed()
    };
    let latency = Conduct::Delay(LATENCY);
    let (plane, scaler) = (Part::ControlPlane, Part::Scaler);
    vec![
        network("latency-control-plane", plane, latency, SOME_TURNS),
        network("latency-scaler", scaler, latency, SOME_TURNS),
        network("latency-backends", Part::AllPods, latency, SOME_TURNS),
        network("lost-control-plane", plane, Conduct::Stall, TEN_SECONDS),
        network("lost-scaler", scaler, Conduct::Stall, TEN_SECONDS),
        network("cut-control-plane", plane, Conduct::Cut, TEN_SECONDS),
        network("cut-scaler", scaler, Conduct::Cut, TEN_SECONDS),
    ]
}

fn configuration() -> Vec<Case> {
    let (settings, version) = (Change::Settings, Change::Version);
    let extension = |name: &str, what: &str, change: Change| {
        let about = format!("ECDS brings {what}, and the old one again");
        let mut case = case(name, &about, (Fault::Extension(change), SOME_TURNS));
        case.setup.configuration = Configuration::Extension;
        case
    };
    let listener = |name: &str, about: &str, change: Change, drain: Duration, hold: Duration| {
        let mut case = case(name, about, (Fault::Listener(change), A_WHILE));
        case.setup.configuration = Configuration::Listener(drain);
        case.setup.hold = hold;
        case.drains_early = drain < hold;
        case
    };
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(8));
    let hold = Duration::from_secs(6);
    vec![
        extension("ecds-settings", "other settings", settings),
        extension("ecds-version", "another version of the filter", version),
        listener(
            "lds-settings",
            "LDS brings other settings; the drain outlasts the holds",
            settings,
            long,
            hold,
        ),
        listener(
            "lds-version",
            "LDS brings another version; the drain outlasts the holds",
            version,
            long,
            hold,
        ),
        listener(
            "lds-short-drain",
            "LDS brings other settings; the drain ends before the holds, which closes their connections",
            settings,
            short,
            hold,
        ),
    ]
}

fn others() -> Vec<Case> {
    let clock = |name: &str, offset: &'static str| {
        let about = format!("the clock of our daemons steps by {offset}, and back");
        let mut case = case(name, &about, (Fault::Clock(offset), TEN_SECONDS));
        case.setup.has_own_clock = true;
        case
    };
    vec![
        case(
            "odd-requests",
            "pipelining, `Expect: 100-continue`, HEAD and CONNECT while held",
            (Fault::Odd, SOME_TURNS),
        ),
        clock("clock-forward", "+1h"),
        clock("clock-back", "-1h"),
    ]
}

fn case(name: &str, about: &str, fault: (Fault, Duration)) -> Case {
    Case {
        name: name.to_owned(),
        about: about.to_owned(),
        setup: Setup::default(),
        faults: vec![fault],
        drains_early: false,
    }
}

impl Case {
    fn relayed(mut self) -> Self {
        self.setup.is_relayed = true;
        self
    }
}
