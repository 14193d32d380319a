//! Every state against every event, as one table.

use super::*;

/// What each event does to each state: `-` nothing, `!` refused, else the next state and what others are told.
const TABLE: &str = "
                   Confirm    Cancel            Capture    Void    Held              ActionNeeded      Refused           CaptureDone       CaptureRefused VoidDone      NothingHeld
CREATED            !          CANCELLING        !          !       AUTHORIZED+auth   REQUIRES_ACTION   DECLINED+decl     -                 -              -             -
REQUIRES_ACTION    !          CANCELLING        !          !       AUTHORIZED+auth   -                 DECLINED+decl     -                 -              -             -
AUTHORIZED         CAPTURING  VOIDING           CAPTURING  VOIDING -                 -                 -                 -                 -              -             -
DECLINED           !          -                 !          !       VOIDING           VOIDING           -                 -                 -              -             -
CAPTURING          -          CAPTURING/refund  -          !       -                 -                 -                 CAPTURED+capt     FAILED+fail    -             -
CAPTURING/refund   -          -                 -          !       -                 -                 -                 REFUNDING+capt    FAILED+fail    -             -
CAPTURED           -          REFUNDING         -          !       -                 -                 -                 -                 -              -             -
FAILED             -          -                 !          !       -                 -                 -                 -                 -              -             -
VOIDING            -          -                 !          -       -                 -                 -                 -                 -              VOIDED+void   -
VOIDED             -          -                 !          -       -                 -                 -                 -                 -              -             -
CANCELLING         -          -                 !          !       VOIDING           VOIDING           CANCELLED+void    -                 -              -             CANCELLED+void
CANCELLED          -          -                 !          !       VOIDING           VOIDING           -                 -                 -              -             -
REFUNDING          -          -                 !          !       -                 -                 -                 -                 -              -             -
REFUNDED           -          -                 !          !       -                 -                 -                 -                 -              -             -
";

fn states() -> Vec<State> {
    let hold = || "hold".to_owned();
    vec![
        State::Created,
        State::RequiresAction { hold: hold(), url: "https://bank/1".into() },
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
        "ActionNeeded" => Event::ActionNeeded { hold: "hold".into(), url: "https://bank/1".into() },
        "Refused" => Event::Refused { reason: "no".into() },
        "CaptureDone" => Event::CaptureDone,
        "CaptureRefused" => Event::CaptureRefused { reason: "no".into() },
        "VoidDone" => Event::VoidDone,
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
    // What may become a hold is looked up before it is given back: it may not be one.
    let held = |state: &&State| state.hold().is_some() && state.kind() != Kind::RequiresAction;
    for state in states().iter().filter(held) {
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
fn refunds_leave_the_state_to_the_payment() {
    for state in states() {
        for event in [Event::RefundDone { n: 1 }, Event::RefundRefused { n: 1 }] {
            assert_eq!(state.on(event), Ok(Step::Stay));
        }
    }
}

#[test]
fn every_word_names_one_state() {
    let words: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(words.len(), Kind::ALL.len());
    assert!(states().iter().all(|state| Kind::ALL.contains(&state.kind())));
}
