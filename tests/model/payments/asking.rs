//! What is asked of the provider, and how its answers are understood: payment's `app/ask`. Which question is next, and what
//! a look-up means, the real rules say.

use payment::domain::batch::Command;

use payment::domain::{Event, Payment, Question, RefundId, Standing};
use shop_faults::Bug;

use super::Payments;
use crate::engine::Millis;
use crate::provider::{self, Hold, Question as Asked, Reply, Status};

impl Payments {
    /// Asks the provider what a payment needs, and follows the answer. Without one, it is asked again after a pause.
    /// `None`: what came of it was not written down.
    pub(super) async fn ask(&self, payment: Payment, limit: Millis) -> Option<Payment> {
        let Some(question) = payment.question() else { return Some(payment) };
        let (id, version, until) = (payment.id, payment.version, self.shop.sim.now() + limit);
        let command = match self.answer(&payment, question, until).await {
            Some(event) => Command::Follow { id, event },
            None => Command::Postpone { id, version },
        };
        self.follow(id, command).await
    }

    /// Looks a payment up because somebody said that something has come of it.
    pub(super) async fn follow_hint(&self, payment: Payment, limit: Millis) -> Option<Payment> {
        let until = self.shop.sim.now() + limit;
        let event = self.look(&payment, until).await?;
        self.follow(payment.id, Command::Follow { id: payment.id, event }).await
    }

    async fn answer(&self, payment: &Payment, question: Question<'_>, until: Millis) -> Option<Event> {
        if question == Question::Look {
            return self.look(payment, until).await;
        }
        if payment.key_may_be_forgotten(self.shop.sim.timestamp())
            && let Some(event) = self.look(payment, until).await
        {
            return Some(event);
        }
        match self.put(payment, question, until).await? {
            Answered::With(event) => Some(event),
            // An error says nothing about what was applied.
            Answered::Wrongly => self.look(payment, until).await,
        }
    }

    async fn put(&self, payment: &Payment, question: Question<'_>, until: Millis) -> Option<Answered> {
        let id = payment.id;
        let (key, asked, done) = match question {
            Question::Look => return None,
            Question::Hold => {
                let card = payment.method.as_ref()?.as_str().to_owned();
                let asked = Asked::Authorize { reference: id.to_string(), amount: payment.amount, card };
                (id.to_string(), asked, None)
            }
            Question::Capture { hold } => {
                (format!("{id}:capture"), Asked::Capture { hold: hold.to_owned() }, Some(Event::CaptureDone))
            }
            Question::Void { hold } => {
                (format!("{id}:void"), Asked::Void { hold: hold.to_owned() }, Some(Event::VoidDone))
            }
            Question::Refund { hold, refund } => {
                let (n, amount) = (refund.n, refund.amount);
                let asked = Asked::Refund { hold: hold.to_owned(), n, amount };
                (RefundId { payment: id, n }.to_string(), asked, Some(Event::RefundDone { n }))
            }
        };
        let reply = self.send(key, asked, until).await?;
        Some(match (reply, done) {
            (Reply::Held(hold), _) => Answered::With(Event::Held { hold }),
            (Reply::ActionNeeded(hold), _) => Answered::With(Event::ActionNeeded { hold, url: "https://bank".into() }),
            (Reply::Done, Some(event)) => Answered::With(event),
            (Reply::Refused(reason), Some(Event::CaptureDone)) => Answered::With(Event::CaptureRefused { reason }),
            (Reply::Refused(reason), None) => Answered::With(Event::Refused { reason }),
            (Reply::Done | Reply::Refused(_) | Reply::Found(_) | Reply::Wrong, _) => Answered::Wrongly,
        })
    }

    /// Looks up where a payment stands. `None`: no answer, nothing new, or nothing that can be.
    async fn look(&self, payment: &Payment, until: Millis) -> Option<Event> {
        let question = Asked::Find { reference: payment.id.to_string() };
        let Reply::Found(holds) = self.send(String::new(), question, until).await? else { return None };
        let standing = match holds.as_slice() {
            [] => Standing::Unheard,
            [hold] => standing(hold),
            // Two under one name: nobody can say which.
            [..] => return None,
        };
        payment.learn(standing, self.shop.sim.timestamp()).ok()?
    }

    async fn send(&self, key: String, question: Asked, until: Millis) -> Option<Reply> {
        let again = if self.shop.planted(Bug::NewKeyPerTry) { self.shop.new_id().to_string() } else { String::new() };
        provider::ask(&self.shop, format!("{key}{again}"), question, until).await
    }
}

enum Answered {
    With(Event),
    Wrongly,
}

fn standing(hold: &Hold) -> Standing {
    let id = hold.id.clone();
    match hold.status {
        Status::Waiting => Standing::Waiting { hold: id, url: "https://bank".into() },
        Status::Held => Standing::Held { hold: id },
        Status::Declined => Standing::Refused { reason: "declined".into() },
        Status::Captured => {
            let refunds = hold.refunds.iter().map(|(n, _)| *n).collect();
            Standing::Captured { refunds, is_all_back: hold.given_back() == hold.amount.amount }
        }
        Status::Failed => Standing::Failed { reason: "empty".into() },
        Status::Voided => Standing::GivenBack,
    }
}
