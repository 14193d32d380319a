//! Every state against every event, as one table.

use super::*;

/// What each event does to each state: `-` nothing, `!` refused, else the next state and what others are told.
const TABLE: &str = "
                   Confirm    Cancel            Capture    Void    Held              Refused           CaptureDone       CaptureRefused VoidDone      RefundDone        NothingHeld
CREATED            !          CANCELLING        !          !       AUTHORIZED+auth   DECLINED+decl     -                 -              -             -                 -
AUTHORIZED         CAPTURING  VOIDING           CAPTURING  VOIDING -                 -                 -                 -              -             -                 -
DECLINED           !          -                 !          !       -                 -                 -                 -              -             -                 -
CAPTURING          -          CAPTURING/refund  -          !       -                 -                 CAPTURED+capt     FAILED+fail    -             -                 -
CAPTURING/refund   -          -                 -          !       -                 -                 REFUNDING+capt    FAILED+fail    -             -                 -
CAPTURED           -          REFUNDING         -          !       -                 -                 -                 -              -             -                 -
FAILED             -          -                 !          !       -                 -                 -                 -              -             -                 -
VOIDING            -          -                 !          -       -                 -                 -                 -              VOIDED+void   -                 -
VOIDED             -          -                 !          -       -                 -                 -                 -              -             -                 -
CANCELLING         -          -                 !          !       VOIDING           CANCELLED+void    -                 -              -             -                 CANCELLED+void
CANCELLED          -          -                 !          !       VOIDING           -                 -                 -              -             -                 -
REFUNDING          -          -                 !          !       -                 -                 -                 -              -             REFUNDED+refu     -
REFUNDED           -          -                 !          !       -                 -                 -                 -              -             -                 -
";

fn states() -> Vec<State> {
    let hold = || "hold".to_owned();
    vec![
        State::Created,
        State::Authorized { hold: hold() },
        State::Declined { reason: "no".into() },
        State::Capturing { hold: hold(), then: AfterCapture::Keep },
        State::Capturing { hold: hold(), then: AfterCapture::Refund },
        State::Captured { hold: hold() },
        State::Failed { hold: hold(), reason: "no".into() },
        State::Voiding { hold: hold() },
        State::Voided { hold: hold() },
        State::Cancelling,
        State::Cancelled,
        State::Refunding { hold: hold() },
        State::Refunded { hold: hold() },
    ]
}

fn event(name: &str) -> Event {
    match name {
        "Confirm" => Event::Confirm,
        "Cancel" => Event::Cancel,
        "Capture" => Event::Capture,
        "Void" => Event::Void,
        "Held" => Event::Held { hold: "hold".into() },
        "Refused" => Event::Refused { reason: "no".into() },
        "CaptureDone" => Event::CaptureDone,
        "CaptureRefused" => Event::CaptureRefused { reason: "no".into() },
        "VoidDone" => Event::VoidDone,
        "RefundDone" => Event::RefundDone,
        "NothingHeld" => Event::NothingHeld,
        other => panic!("no such event: {other}"),
    }
}

fn name(state: &State) -> String {
    let refund = matches!(state, State::Capturing { then: AfterCapture::Refund, .. });
    format!("{}{}", state.kind().word(), if refund { "/refund" } else { "" })
}

fn cell(result: &Result<Step, Illegal>) -> String {
    match result {
        Err(_) => "!".into(),
        Ok(Step::Stay) => "-".into(),
        Ok(Step::Go { state, tell: None }) => name(state),
        Ok(Step::Go { state, tell: Some(tell) }) => {
            format!("{}+{}", name(state), &format!("{tell:?}").to_lowercase()[..4])
        }
    }
}

#[test]
fn every_event_does_to_every_state_what_the_table_says() {
    let mut rows =
        TABLE.lines().filter(|line| !line.is_empty()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let events = rows.next().unwrap();
    let rows: Vec<_> = rows.collect();
    assert_eq!((events.len(), rows.len()), (11, states().len()));
    for (row, state) in rows.iter().zip(states()) {
        assert_eq!(row[0], name(&state));
        for (expected, event_name) in row[1..].iter().zip(&events) {
            assert_eq!(cell(&state.on(event(event_name))), *expected, "{} on {}", event_name, row[0]);
        }
        assert_eq!(row.len(), events.len() + 1);
    }
}

#[test]
fn every_state_keeps_the_hold_it_came_with() {
    for state in states().iter().filter(|state| state.hold().is_some()) {
        for name in TABLE.lines().nth(1).unwrap().split_whitespace() {
            if let Ok(Step::Go { state: next, .. }) = state.on(event(name)) {
                assert_eq!(next.hold(), state.hold(), "{name}");
            }
        }
    }
}

#[test]
fn a_refusal_names_the_states_that_would_do() {
    assert_eq!(
        State::Cancelled.on(Event::Void),
        Err(Illegal { state: Kind::Cancelled, allowed: &[Kind::Authorized, Kind::Voiding, Kind::Voided] })
    );
    assert_eq!(
        State::Created.on(Event::Capture),
        Err(Illegal { state: Kind::Created, allowed: &[Kind::Authorized, Kind::Capturing, Kind::Captured] })
    );
}

#[test]
fn what_is_settling_ends_with_an_answer_of_the_provider() {
    let answers = ["Held", "Refused", "CaptureDone", "CaptureRefused", "VoidDone", "RefundDone", "NothingHeld"];
    for state in states() {
        // A hold that turns up behind a tombstone is the one answer that nobody asked for.
        if state == State::Cancelled {
            continue;
        }
        let moves = answers.iter().any(|name| matches!(state.on(event(name)), Ok(Step::Go { .. })));
        assert_eq!(moves, state.kind().is_settling(), "{state:?}");
    }
}

#[test]
fn every_word_names_one_state() {
    let words: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(words.len(), Kind::ALL.len());
    assert!(states().iter().all(|state| Kind::ALL.contains(&state.kind())));
}
