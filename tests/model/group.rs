//! Group commit: what waited while the last transaction ran is decided and committed in the next one.

use std::cell::RefCell;
use std::rc::Rc;

use crate::engine::{Bell, Sim};
use crate::promise::{Awaited, Heard, Promise, promise};
use crate::store::{Database, Failed, Tables, Txn};
use crate::world::COMMIT;

/// A command that waits, and whom its answer is promised to.
type Member<C, A> = (C, Promise<Result<A, Failed>>);

/// A queue of commands and its worker, in one process.
pub(crate) struct Group<C, A> {
    sim: Sim,
    queue: RefCell<Vec<Member<C, A>>>,
    filled: Bell,
}

/// The answer to a command that was handed in.
pub(crate) struct Pending<A>(Sim, Awaited<Result<A, Failed>>);

impl<C: 'static, A: 'static> Group<C, A> {
    pub(crate) fn new(sim: &Sim) -> Rc<Self> {
        Rc::new(Self { sim: sim.clone(), queue: RefCell::default(), filled: Bell::default() })
    }

    /// Hands in a command.
    pub(crate) fn hand_in(&self, command: C) -> Pending<A> {
        let (promise, answer) = promise(&self.sim);
        self.queue.borrow_mut().push((command, promise));
        self.sim.ring(&self.filled);
        Pending(self.sim.clone(), answer)
    }

    /// Hands in a command and waits for its answer. After [`Failed::Away`] it may have been carried out.
    pub(crate) async fn submit(&self, command: C) -> Result<A, Failed> {
        self.hand_in(command).answer().await
    }

    /// Carries out what waits, for ever. `carry_out` reads the tables and gives what to write and one answer for each.
    pub(crate) async fn work(
        self: Rc<Self>,
        database: Rc<Database>,
        carry_out: impl Fn(&Tables, &mut Txn, &[C]) -> Vec<A>,
    ) {
        loop {
            while self.queue.borrow().is_empty() {
                self.sim.wait(&[&self.filled], None).await;
            }
            let (commands, promises): (Vec<C>, Vec<_>) = self.queue.borrow_mut().drain(..).unzip();
            let ended = loop {
                let mut txn = database.begin();
                let answers = carry_out(&database.tables(), &mut txn, &commands);
                match database.commit(txn).await {
                    Ok(()) => break Ok(answers),
                    Err(Failed::Conflict) => {}
                    Err(Failed::Away) => break Err(Failed::Away),
                }
            };
            match ended {
                Ok(answers) => promises.into_iter().zip(answers).for_each(|(promise, answer)| promise.keep(Ok(answer))),
                Err(failed) => promises.into_iter().for_each(|promise| promise.keep(Err(failed))),
            }
        }
    }
}

impl<A> Pending<A> {
    pub(crate) async fn answer(self) -> Result<A, Failed> {
        match self.1.until(self.0.now() + COMMIT).await {
            Heard::Answer(answer) => answer,
            Heard::Nothing | Heard::TooLate => Err(Failed::Away),
        }
    }
}
