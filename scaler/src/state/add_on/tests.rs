use super::*;

const BOOT_MS: u64 = 1_000_000;

/// When the first worker boots.
const START: Duration = Duration::from_secs(100);

/// What is counted, and the worker that reports next.
struct Bench {
    add_on: AddOn,
    now: Duration,
    worker: Instance,
    heard: Heard,
}

impl Bench {
    /// A worker that boots now, and an object `shop/web` of this kind.
    fn new(kinds: &[&str]) -> Self {
        let mut bench = Self {
            add_on: AddOn::default(),
            now: START,
            worker: Instance {
                proxy: "edge".into(),
                worker: 0,
                boot_id: BOOT_MS,
            },
            heard: Heard::Here,
        };
        bench.expect(kinds);
        bench
    }

    fn expect(&mut self, kinds: &[&str]) {
        let keys: Vec<Key> = kinds.iter().map(|kind| key(kind)).collect();
        self.add_on.expect(keys.iter());
    }

    fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self.add_on.age(self.now);
        self
    }

    fn lived(&self) -> Duration {
        self.now.saturating_sub(START)
    }

    /// The worker ends, and another takes its place.
    fn boot(&mut self) -> &mut Self {
        self.worker.boot_id = BOOT_MS + millis(self.lived());
        self
    }

    /// The worker has lived for an hour before this counts.
    fn aged(&mut self) -> &mut Self {
        self.worker.boot_id -= millis(secs(900));
        self
    }

    fn report(&mut self, full: bool, counts: &[(&str, u64, u64)]) {
        let count = |(kind, ended, integral_ms): &(&str, u64, u64)| KeyReport {
            key: key(kind),
            held: 0,
            running: 0,
            started: *ended,
            ended: *ended,
            shed: 0,
            integral_ms: *integral_ms,
        };
        let report = Report {
            full,
            now: Duration::from_millis(BOOT_MS) + self.lived(),
            keys: counts.iter().map(count).collect(),
            ..Report::default()
        };
        let part = Part::of(&report);
        self.add_on.count(self.now, &self.worker, part, self.heard);
    }

    #[track_caller]
    fn check(&self, ended: u64, taken_ms: u64) {
        let [known] = &self.add_on.objects()[..] else {
            panic!("one object: {:?}", self.add_on);
        };
        let object = &known.object;
        assert_eq!(
            (object.ended(), object.taken()),
            (ended, Duration::from_millis(taken_ms))
        );
    }
}

const ROUTE: &str = "interceptorRoute";
const SCALED: &str = "httpScaledObject";

fn key(kind: &str) -> Key {
    Key::from(format!("{kind}/shop/web").as_str())
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

#[test]
fn differences_add_up_over_reports_and_repeats_of_everything() {
    let mut bench = Bench::new(&[ROUTE]);
    bench.check(0, 0);
    bench.report(true, &[(ROUTE, 1, 40), ("service", 9, 9)]);
    bench.pass(secs(1)).report(false, &[(ROUTE, 3, 90)]);
    bench.pass(secs(1)).report(false, &[]);
    bench.pass(secs(1)).report(true, &[(ROUTE, 4, 100)]);
    bench.check(4, 100);
    bench.pass(secs(1)).report(true, &[]);
    bench.pass(secs(1)).report(false, &[(ROUTE, 6, 6)]);
    bench.check(10, 106);
}

#[test]
fn a_total_does_not_go_down_when_a_worker_restarts_or_ages_out() {
    let mut bench = Bench::new(&[ROUTE]);
    bench.report(true, &[(ROUTE, 5, 500)]);
    bench.pass(secs(3)).boot().report(true, &[(ROUTE, 7, 70)]);
    bench.check(12, 570);
    bench.pass(secs(300));
    assert!(bench.add_on.workers.is_empty());
    bench.check(12, 570);
    bench.boot().report(true, &[(ROUTE, 1, 10)]);
    bench.check(13, 580);
}

#[test]
fn what_an_old_worker_counted_before_this_scaler_does_not_count_again() {
    let mut bench = Bench::new(&[ROUTE]);
    bench.aged().report(true, &[(ROUTE, 5_000, 1_000_000)]);
    bench.check(0, 0);
    bench
        .pass(secs(1))
        .report(false, &[(ROUTE, 5_002, 1_000_300)]);
    bench.check(2, 300);

    // The table may come after the workers.
    let mut bench = Bench::new(&[]);
    bench.aged().report(true, &[(ROUTE, 5_000, 1_000_000)]);
    bench.expect(&[ROUTE]);
    bench.report(false, &[(ROUTE, 5_001, 1_000_100)]);
    bench.check(1, 100);
}

#[test]
fn the_first_requests_of_an_object_count_though_they_came_before_its_name() {
    let mut bench = Bench::new(&[]);
    bench.report(true, &[(ROUTE, 1, 10)]);
    assert!(bench.add_on.objects().is_empty());
    bench.expect(&[ROUTE]);
    bench.report(false, &[(ROUTE, 2, 20)]);
    bench.check(2, 20);
}

#[test]
fn what_is_of_two_kinds_and_one_name_is_one_object() {
    let mut bench = Bench::new(&[SCALED]);
    bench.report(true, &[(SCALED, 4, 40)]);
    bench.expect(&[SCALED, ROUTE]);
    bench.report(false, &[(SCALED, 5, 50), (ROUTE, 1, 10)]);
    bench.check(6, 60);
    bench.expect(&[ROUTE]);
    bench.report(false, &[(SCALED, 6, 60), (ROUTE, 3, 30)]);
    bench.check(8, 80);
}

#[test]
fn an_object_that_is_gone_is_forgotten() {
    let mut bench = Bench::new(&[ROUTE]);
    bench.report(true, &[(ROUTE, 4, 40)]);
    bench.expect(&[]);
    assert!(bench.add_on.objects().is_empty());
    bench.expect(&[ROUTE]);
    bench.report(false, &[(ROUTE, 5, 50)]);
    bench.check(1, 10);
}

#[test]
fn what_is_no_object_of_the_add_on_takes_no_room() {
    let mut bench = Bench::new(&["service"]);
    bench.report(true, &[("service", 4, 40), (ROUTE, 1, 1), (SCALED, 0, 0)]);
    assert!(bench.add_on.objects().is_empty());
    let worker = bench.add_on.workers.values().next().unwrap();
    assert!(worker.said.is_empty(), "{worker:?}");
    for other in ["interceptorRoute/shop", "interceptorRoute/a/b/c", "web", ""] {
        assert_eq!(parse(&Key::from(other)), None, "{other}");
    }
}

#[test]
fn what_another_replica_counts_is_where_this_one_goes_on() {
    let mut bench = Bench::new(&[ROUTE]);
    bench.heard = Heard::Elsewhere;
    bench.report(true, &[(ROUTE, 5, 400)]);
    bench.pass(secs(30)).report(false, &[(ROUTE, 9, 700)]);
    bench.check(0, 0);
    bench.heard = Heard::Here;
    bench.pass(secs(1)).report(true, &[(ROUTE, 10, 800)]);
    bench.check(1, 100);
}

#[test]
fn a_worker_whose_begin_was_not_relayed_is_counted_from_where_it_comes() {
    let mut bench = Bench::new(&[ROUTE]);
    bench.heard = Heard::Elsewhere;
    bench.report(false, &[("service", 1, 1)]);
    bench.heard = Heard::Here;
    bench.pass(secs(1)).report(true, &[(ROUTE, 5_000, 90)]);
    bench.check(0, 0);
    bench.pass(secs(1)).report(false, &[(ROUTE, 5_002, 95)]);
    bench.check(2, 5);
}
