//! Every state against everything that a look-up can say.

use shop_types::Money;

use super::*;
use crate::domain::{AfterCapture, PaymentId};

/// What each standing tells a payment in each state: `-` nothing, `?` somebody has to look, else the event.
const TABLE: &str = "
                 Unheard      Waiting       Held  Refused         GivenBack       Failed          Captured     Captured/1   Captured/all
CREATED          -            ActionNeeded  Held  Refused         Refused         Refused         ?            ?            ?
REQUIRES_ACTION  -            -             Held  Refused         Refused         Refused         ?            ?            ?
AUTHORIZED       -            -             -     -               -               -               -            -            -
DECLINED         -            -             -     -               -               -               -            -            -
CAPTURING        ?            ?             -     ?               CaptureRefused  CaptureRefused  CaptureDone  CaptureDone  CaptureDone
CAPTURED         -            -             -     -               -               -               -            -            -
CAPTURED+refund  ?            ?             ?     ?               ?               ?               -            RefundDone   RefundDone
FAILED           -            -             -     -               -               -               -            -            -
VOIDING          ?            -             -     VoidDone        VoidDone        VoidDone        ?            ?            ?
VOIDED           -            -             -     -               -               -               -            -            -
CANCELLING       -            Held          Held  NothingHeld     NothingHeld     NothingHeld     ?            ?            ?
CANCELLED        -            Held          Held  NothingHeld     NothingHeld     NothingHeld     ?            ?            ?
REFUNDING        ?            ?             ?     ?               ?               ?               -            RefundDone   RefundDone
REFUNDED         -            -             -     -               -               -               -            -            -
";

fn payment(state: State) -> Payment {
    Payment {
        id: PaymentId::first("00000000-0000-7000-8000-000000000001".parse().unwrap()),
        owner: None,
        amount: Money::new(500, "EUR".parse().unwrap()),
        method: None,
        state,
        refunds: Vec::new(),
        version: 1,
        created: Timestamp::UNIX_EPOCH,
        since: Timestamp::UNIX_EPOCH,
        tries: 0,
    }
}

fn hold() -> String {
    "hold".into()
}

fn payments() -> Vec<Payment> {
    let captured = payment(State::Captured { hold: hold() });
    let refund = |amount: Option<i64>| {
        let amount = amount.map(|amount| captured.of(amount));
        captured.refund(amount, "late".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap().0
    };
    vec![
        payment(State::Created),
        payment(State::RequiresAction { hold: hold(), url: "https://bank/1".into() }),
        payment(State::Authorized { hold: hold() }),
        payment(State::Declined { reason: "no".into() }),
        payment(State::Capturing { hold: hold(), then: AfterCapture::Keep }),
        captured.clone(),
        refund(Some(200)),
        payment(State::Failed { hold: hold(), reason: "no".into() }),
        payment(State::Voiding { hold: hold() }),
        payment(State::Voided { hold: hold() }),
        payment(State::Cancelling),
        payment(State::Cancelled),
        refund(None),
        payment(State::Refunded { hold: hold() }),
    ]
}

fn standing(name: &str) -> Standing {
    match name {
        "Unheard" => Standing::Unheard,
        "Waiting" => Standing::Waiting { hold: hold(), url: "https://bank/1".into() },
        "Held" => Standing::Held { hold: hold() },
        "Refused" => Standing::Refused { reason: "no".into() },
        "GivenBack" => Standing::GivenBack,
        "Failed" => Standing::Failed { reason: "no".into() },
        "Captured" => Standing::Captured { refunds: vec![], is_all_back: false },
        "Captured/1" => Standing::Captured { refunds: vec![1], is_all_back: false },
        "Captured/all" => Standing::Captured { refunds: vec![], is_all_back: true },
        other => panic!("no such standing: {other}"),
    }
}

fn cell(learned: &Result<Option<Event>, Contradiction>) -> String {
    match learned {
        Err(_) => "?".into(),
        Ok(None) => "-".into(),
        Ok(Some(event)) => format!("{event:?}").split(' ').next().unwrap().to_owned(),
    }
}

#[test]
fn every_standing_tells_every_state_what_the_table_says() {
    let mut rows =
        TABLE.lines().filter(|line| !line.is_empty()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let standings = rows.next().unwrap();
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), payments().len());
    for (row, payment) in rows.iter().zip(payments()) {
        assert_eq!(row[0].split('+').next(), Some(payment.state.kind().word()));
        assert_eq!(row.len(), standings.len() + 1);
        for (expected, name) in row[1..].iter().zip(&standings) {
            let learned = payment.learn(standing(name), Timestamp::UNIX_EPOCH);
            assert_eq!(cell(&learned), *expected, "{name} in {}", row[0]);
        }
    }
}

#[test]
fn a_cancelled_payment_that_was_never_heard_of_for_25_hours_never_will_be() {
    let late = Timestamp::from_second(25 * 3600 + 1).unwrap();
    assert_eq!(payment(State::Cancelling).learn(Standing::Unheard, late), Ok(Some(Event::NothingHeld)));
    assert_eq!(payment(State::Created).learn(Standing::Unheard, late), Ok(None));
}
