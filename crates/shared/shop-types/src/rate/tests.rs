//! The arithmetic: no client gets more than the rate, and nothing that was given back is lost or counted twice.

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000;

fn rate(requests: u32, seconds: u64) -> Rate {
    Rate::new(requests, Duration::from_secs(seconds)).unwrap()
}

#[test]
fn rates_have_bounds() {
    for (requests, window, good) in [
        (1, Duration::from_secs(1), true),
        (1_000_000, Duration::from_secs(86_400), true),
        (0, Duration::from_secs(1), false),
        (1_000_001, Duration::from_secs(1), false),
        (1, Duration::ZERO, false),
        (1, Duration::from_secs(86_401), false),
        (1, Duration::from_millis(1_500), false),
    ] {
        assert_eq!(Rate::new(requests, window).is_ok(), good, "{requests} in {window:?}");
    }
}

#[test]
fn a_fresh_allowance_holds_the_whole_number_and_then_grows_back_evenly() {
    let rate = rate(5, 10);
    let mut meter = Meter::default();
    for left in (0..5).rev() {
        let taken = meter.take(rate, 0, 1);
        assert_eq!((taken.granted, taken.whole_in), (1, (5 - left) * 2 * SECOND));
    }
    assert_eq!(meter.take(rate, 0, 1), Taken { granted: 0, whole_in: 10 * SECOND, retry_in: 2 * SECOND });
    assert_eq!(meter.take(rate, 2 * SECOND - 1, 1).retry_in, 1);
    assert_eq!(meter.take(rate, 2 * SECOND, 1).granted, 1);
    assert_eq!(meter.take(rate, 2 * SECOND, 1).granted, 0);
    assert_eq!(meter.take(rate, 12 * SECOND, 9).granted, 5, "after a window everything is there again");
}

#[test]
fn who_wants_more_than_there_is_gets_what_there_is() {
    let rate = rate(10, 10);
    let mut meter = Meter::default();
    assert_eq!(meter.take(rate, 0, 8).granted, 8);
    assert_eq!(meter.take(rate, 0, 8).granted, 2);
    assert_eq!(meter.take(rate, 0, 8).granted, 0);
}

#[test]
fn a_rate_that_was_lowered_refuses_until_the_rest_has_grown_back() {
    let mut meter = Meter::default();
    meter.take(rate(100, 100), 0, 100);
    let lower = rate(10, 10);
    assert_eq!(meter.take(lower, 0, 1), Taken { granted: 0, whole_in: 100 * SECOND, retry_in: 91 * SECOND });
    assert_eq!(meter.take(lower, 91 * SECOND, 1).granted, 1);
}

#[test]
fn what_is_given_back_can_be_taken_again_at_once() {
    let rate = rate(10, 10);
    let mut meter = Meter::default();
    meter.take(rate, 0, 10);
    meter.give_back(rate, 0, 4, meter.whole_at());
    assert_eq!(meter.take(rate, 0, 10).granted, 4);
}

#[test]
fn what_has_grown_back_by_itself_is_not_given_twice() {
    let rate = rate(10, 10);
    let mut meter = Meter::default();
    meter.take(rate, 0, 2);
    let mark = meter.whole_at();
    assert_eq!(meter.take(rate, 5 * SECOND, 10).granted, 10, "both have grown back");
    meter.give_back(rate, 5 * SECOND, 2, mark);
    assert_eq!(meter.take(rate, 5 * SECOND, 1).granted, 0);
}

#[test]
fn a_tenth_is_never_nothing() {
    assert_eq!(rate(5_000, 900).tenth(), rate(500, 900));
    assert_eq!(rate(9, 900).tenth(), rate(1, 900));
}

prop_compose! {
    fn rates()(requests in 1_u32..=2_000, seconds in 1_u64..=3_600) -> Rate {
        rate(requests, seconds)
    }
}

/// Pauses before each request in microseconds, and how many it wants.
fn requests() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((0_u64..5_000_000, 1_u32..50), 1..200)
}

proptest! {
    #[test]
    fn no_span_of_time_sees_more_than_the_whole_allowance_and_what_grew_in_it(rate in rates(), requests in requests()) {
        let mut meter = Meter::default();
        let (mut now, mut granted) = (0, Vec::new());
        for (pause, wanted) in requests {
            now += pause;
            granted.push((now, u64::from(meter.take(rate, now, wanted).granted)));
        }
        for (first, (begin, _)) in granted.iter().enumerate() {
            let mut sum = 0;
            for (end, count) in &granted[first..] {
                sum += count;
                prop_assert!(sum <= u64::from(rate.requests()) + (end - begin) / rate.interval());
            }
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_again_and_keeps_its_word(rate in rates(), requests in requests()) {
        let mut meter = Meter::default();
        let mut now = 0;
        for (pause, wanted) in requests {
            now += pause;
            let taken = meter.take(rate, now, wanted);
            if taken.granted == 0 {
                let (mut early, mut late) = (meter, meter);
                prop_assert!(taken.retry_in > 0);
                prop_assert_eq!(early.take(rate, now + taken.retry_in - 1, 1).granted, 0);
                prop_assert_eq!(late.take(rate, now + taken.retry_in, 1).granted, 1);
            }
        }
    }

    #[test]
    fn a_lease_that_came_and_went_leaves_nobody_more_than_there_was(
        rate in rates(), before in requests(), lease in 1_u32..500, others in requests(), unused in 0_u32..500,
    ) {
        let mut meter = Meter::default();
        let mut now = 0;
        for (pause, wanted) in before {
            now += pause;
            meter.take(rate, now, wanted);
        }
        let mut without = meter;
        let leased = meter.take(rate, now, lease).granted;
        let mark = meter.whole_at();
        for (pause, wanted) in others {
            now += pause;
            let granted = meter.take(rate, now, wanted).granted;
            without.take(rate, now, granted);
        }
        meter.give_back(rate, now, unused.min(leased), mark);
        prop_assert!(meter.whole_at().max(now) >= without.whole_at().max(now));
    }
}
