//! One answer from one task to another: what a caller waits for while somebody else works, on this process or another.

use std::cell::RefCell;
use std::rc::Rc;

use crate::engine::{Bell, Millis, Sim};

/// To be kept by whoever works. Dropped with its process, it tells that nobody will answer.
pub(crate) struct Promise<T> {
    sim: Sim,
    shared: Rc<Shared<T>>,
}

/// Held by whoever waits.
pub(crate) struct Awaited<T> {
    sim: Sim,
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    state: RefCell<State<T>>,
    bell: Bell,
}

enum State<T> {
    Open,
    Kept(T),
    Broken,
}

/// What became of a promise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<T> {
    Answer(T),
    /// Its process has ended, or it was left unanswered.
    Nothing,
    TooLate,
}

pub(crate) fn promise<T>(sim: &Sim) -> (Promise<T>, Awaited<T>) {
    let shared = Rc::new(Shared { state: RefCell::new(State::Open), bell: Bell::default() });
    (Promise { sim: sim.clone(), shared: Rc::clone(&shared) }, Awaited { sim: sim.clone(), shared })
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, answer: T) {
        *self.shared.state.borrow_mut() = State::Kept(answer);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state.borrow_mut();
        if matches!(*state, State::Open) {
            *state = State::Broken;
        }
        drop(state);
        self.sim.ring(&self.shared.bell);
    }
}

impl<T> Awaited<T> {
    pub(crate) async fn until(self, until: Millis) -> Heard<T> {
        loop {
            match std::mem::replace(&mut *self.shared.state.borrow_mut(), State::Broken) {
                State::Kept(answer) => return Heard::Answer(answer),
                State::Broken => return Heard::Nothing,
                State::Open => {}
            }
            *self.shared.state.borrow_mut() = State::Open;
            if self.sim.now() >= until {
                return Heard::TooLate;
            }
            self.sim.wait(&[&self.shared.bell], Some(until)).await;
        }
    }
}
