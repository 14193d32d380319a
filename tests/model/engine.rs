//! Runs tasks one step at a time, in virtual time, in an order that the chooser chooses.
//!
//! A task is an ordinary future. Between two of its `await`s it is alone in the world; at each of them others may go on,
//! time may pass, its process may die (the future is dropped) or stand still (it is not polled). What belongs here: tasks,
//! processes, time and waiting. What a task does stands elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;

use crate::chooser::{Choice, Chooser};

/// What dies and stands still as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Process {
    /// Buyers, the provider, the network: what the shop's faults do not touch.
    Outside,
    Pod(Service, u8),
}

/// The services of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Order,
    Payment,
    Inventory,
    /// Listens to everything and counts what it hears: whoever sends messages and shows stock.
    Witness,
}

/// Milliseconds of the model's time.
pub(crate) type Millis = i64;

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;

/// A step takes so long.
const STEP: Millis = 1;

/// Handle of the engine; clones share it.
#[derive(Clone)]
pub(crate) struct Sim(Rc<Inner>);

struct Inner {
    chooser: RefCell<Chooser>,
    clock: Cell<Millis>,
    steps: Cell<u32>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    /// Oldest first.
    ready: RefCell<Vec<u64>>,
    running: Cell<u64>,
    born: Cell<u64>,
    /// The earliest time at which some task wants to go on, or an earlier one.
    next_timer: Cell<Millis>,
    frozen: RefCell<BTreeMap<Process, Millis>>,
    log: RefCell<Option<Vec<String>>>,
}

struct Task {
    process: Process,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Counts how often it has lain down: a bell of an earlier time does not wake it.
    nap: u64,
    until: Option<Millis>,
    asleep: bool,
}

/// Wakes those who wait for it.
#[derive(Default)]
pub(crate) struct Bell(RefCell<Vec<(u64, u64)>>);

impl Sim {
    pub(crate) fn new(chooser: Chooser, logs: bool) -> Self {
        Self(Rc::new(Inner {
            chooser: RefCell::new(chooser),
            clock: Cell::new(0),
            steps: Cell::new(0),
            tasks: RefCell::default(),
            ready: RefCell::default(),
            running: Cell::new(0),
            born: Cell::new(0),
            next_timer: Cell::new(Millis::MAX),
            frozen: RefCell::default(),
            log: RefCell::new(logs.then(Vec::new)),
        }))
    }

    pub(crate) fn now(&self) -> Millis {
        self.0.clock.get()
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now()).expect("the model lives for days, not for ages")
    }

    pub(crate) fn steps(&self) -> u32 {
        self.0.steps.get()
    }

    /// See [`Chooser::pick`].
    pub(crate) fn pick(&self, options: usize) -> usize {
        self.0.chooser.borrow_mut().pick(options)
    }

    /// See [`Chooser::rarely`].
    pub(crate) fn rarely(&self, once_in: u32, others: usize) -> usize {
        self.0.chooser.borrow_mut().rarely(once_in, others)
    }

    pub(crate) fn trail(&self) -> Vec<Choice> {
        self.0.chooser.borrow().trail().to_vec()
    }

    /// Writes a line into the story of a schedule, if somebody wants to read it.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(log) = self.0.log.borrow_mut().as_mut() {
            let (seconds, millis) = (self.now() / SECOND, self.now() % SECOND);
            let who = self.0.tasks.borrow().get(&self.0.running.get()).map(|task| task.process.to_string());
            log.push(format!("{seconds:>6}.{millis:03} {:<12} {}", who.unwrap_or_default(), line()));
        }
    }

    pub(crate) fn story(&self) -> Vec<String> {
        self.0.log.borrow_mut().take().unwrap_or_default()
    }

    pub(crate) fn spawn(&self, process: Process, future: impl Future<Output = ()> + 'static) {
        let id = self.0.born.get() + 1;
        self.0.born.set(id);
        let task = Task { process, future: Some(Box::pin(future)), nap: 0, until: None, asleep: false };
        self.0.tasks.borrow_mut().insert(id, task);
        self.0.ready.borrow_mut().push(id);
    }

    /// Ends all tasks of a process, wherever they are.
    pub(crate) fn kill(&self, process: Process) {
        self.0.frozen.borrow_mut().remove(&process);
        let mut tasks = self.0.tasks.borrow_mut();
        let ids: Vec<u64> = tasks.iter().filter(|(_, task)| task.process == process).map(|(id, _)| *id).collect();
        let dead: Vec<Task> = ids.iter().filter_map(|id| tasks.remove(id)).collect();
        drop(tasks);
        self.0.ready.borrow_mut().retain(|id| !ids.contains(id));
        // What they hold tells others that they are gone, and that needs the tasks.
        drop(dead);
    }

    /// Lets a process stand still until then, whatever happens around it.
    pub(crate) fn freeze(&self, process: Process, until: Millis) {
        self.0.frozen.borrow_mut().insert(process, until);
        self.0.next_timer.set(self.0.next_timer.get().min(until));
    }

    pub(crate) fn thaw_all(&self) {
        self.0.frozen.borrow_mut().clear();
    }

    /// Ends all tasks: they and the world that they live in hold each other.
    pub(crate) fn end(&self) {
        let tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
        self.0.ready.borrow_mut().clear();
        drop(tasks);
    }

    /// Takes one step of one task; when none can go on, lets time pass until one can. `false` when none ever will.
    pub(crate) fn turn(&self) -> bool {
        loop {
            self.wake_the_due();
            let Some(id) = self.next_ready() else {
                if self.0.next_timer.get() == Millis::MAX {
                    return false;
                }
                self.0.clock.set(self.now().max(self.0.next_timer.get()));
                continue;
            };
            let future = self.0.tasks.borrow_mut().get_mut(&id).and_then(|task| task.future.take());
            let Some(mut future) = future else { continue };
            self.0.running.set(id);
            let ended = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            self.0.running.set(0);
            self.0.steps.set(self.steps() + 1);
            self.0.clock.set(self.now() + STEP);
            let mut tasks = self.0.tasks.borrow_mut();
            if ended {
                tasks.remove(&id);
            } else if let Some(task) = tasks.get_mut(&id) {
                task.future = Some(future);
            }
            return true;
        }
    }

    fn next_ready(&self) -> Option<u64> {
        let frozen = self.0.frozen.borrow();
        let mut ready = self.0.ready.borrow_mut();
        if frozen.is_empty() {
            let count = ready.len();
            return if count == 0 { None } else { Some(ready.remove(self.pick(count))) };
        }
        let tasks = self.0.tasks.borrow();
        let goes_on = |id: &u64| tasks.get(id).is_some_and(|task| !frozen.contains_key(&task.process));
        let places: Vec<usize> = (0..ready.len()).filter(|place| goes_on(&ready[*place])).collect();
        if places.is_empty() { None } else { Some(ready.remove(places[self.pick(places.len())])) }
    }

    fn wake_the_due(&self) {
        let now = self.now();
        if self.0.next_timer.get() > now {
            return;
        }
        self.0.frozen.borrow_mut().retain(|_, until| *until > now);
        let mut next = self.0.frozen.borrow().values().copied().min().unwrap_or(Millis::MAX);
        for (id, task) in self.0.tasks.borrow_mut().iter_mut().filter(|(_, task)| task.asleep) {
            match task.until {
                Some(until) if until <= now => {
                    task.asleep = false;
                    self.0.ready.borrow_mut().push(*id);
                }
                Some(until) => next = next.min(until),
                None => {}
            }
        }
        self.0.next_timer.set(next);
    }

    /// Lets time jump, as on a machine that is busy with other things: whatever was to happen until then is late.
    pub(crate) fn pass(&self, time: Millis) {
        self.0.clock.set(self.now() + time);
    }

    /// A point where others may go on, and where this process may end.
    pub(crate) async fn step(&self) {
        let id = self.0.running.get();
        self.0.ready.borrow_mut().push(id);
        yield_once().await;
    }

    pub(crate) async fn sleep(&self, time: Millis) {
        self.wait(&[], Some(self.now() + time)).await;
    }

    /// Waits until one of the bells rings, or until then.
    pub(crate) async fn wait(&self, bells: &[&Bell], until: Option<Millis>) {
        let id = self.0.running.get();
        if let Some(task) = self.0.tasks.borrow_mut().get_mut(&id) {
            task.nap += 1;
            task.asleep = true;
            task.until = until;
            for bell in bells {
                bell.0.borrow_mut().push((id, task.nap));
            }
        }
        if let Some(until) = until {
            self.0.next_timer.set(self.0.next_timer.get().min(until));
        }
        yield_once().await;
    }

    pub(crate) fn ring(&self, bell: &Bell) {
        let waiting = std::mem::take(&mut *bell.0.borrow_mut());
        let mut tasks = self.0.tasks.borrow_mut();
        for (id, nap) in waiting {
            if let Some(task) = tasks.get_mut(&id)
                && task.asleep
                && task.nap == nap
            {
                task.asleep = false;
                self.0.ready.borrow_mut().push(id);
            }
        }
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|_| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("outside"),
            Self::Pod(service, replica) => write!(f, "{}-{replica}", service.name()),
        }
    }
}

impl Service {
    pub(crate) const ALL: [Self; 4] = [Self::Order, Self::Payment, Self::Inventory, Self::Witness];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Inventory => "inventory",
            Self::Witness => "witness",
        }
    }
}
