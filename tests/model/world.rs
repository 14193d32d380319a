//! The shop of one schedule: its databases, its streams, its processes and the provider; calls between processes; and how
//! many mishaps it may still meet.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::rc::Rc;

use shop_faults::Bug;
use shop_types::{Envelope, Event, EventId};
use uuid::Uuid;

use crate::engine::{Millis, Process, SECOND, Service, Sim};
use crate::orders::Orders;
use crate::payments::Payments;
use crate::promise::{Heard, promise};
use crate::provider::Provider;
use crate::stock::Inventory;
use crate::store::Database;
use crate::stream::Redis;
use crate::{consumer, relay};

/// Pods of each service.
pub(crate) const REPLICAS: u8 = 2;

/// Handle of the shop; clones share it.
#[derive(Clone)]
pub(crate) struct Shop(Rc<World>);

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) redis: Redis,
    pub(crate) provider: Provider,
    databases: BTreeMap<Service, Rc<Database>>,
    pods: RefCell<BTreeMap<Process, Pod>>,
    bug: Option<Bug>,
    mishaps: Cell<u32>,
    ids: Cell<u128>,
    /// What went wrong where everybody could see it at once.
    complaints: RefCell<Vec<String>>,
    /// What has happened at all, in words.
    reached: RefCell<BTreeSet<String>>,
}

/// What a running process is asked by others.
#[derive(Clone)]
pub(crate) enum Pod {
    Orders(Rc<Orders>),
    Payments(Rc<Payments>),
    Inventory(Rc<Inventory>),
    Witness,
}

impl Deref for Shop {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Shop {
    pub(crate) fn open(sim: &Sim, bug: Option<Bug>, mishaps: u32) -> Self {
        let weak = bug == Some(Bug::WeakWrites);
        let databases = Service::ALL.map(|service| (service, Database::new(sim, weak)));
        let shop = Self(Rc::new(World {
            sim: sim.clone(),
            redis: Redis::new(sim),
            provider: Provider::new(sim),
            databases: databases.into_iter().collect(),
            pods: RefCell::default(),
            bug,
            mishaps: Cell::new(mishaps),
            ids: Cell::new(1),
            complaints: RefCell::default(),
            reached: RefCell::default(),
        }));
        for service in Service::ALL {
            (0..REPLICAS).for_each(|replica| shop.start(Process::Pod(service, replica)));
        }
        shop
    }

    /// Starts a process anew: it remembers nothing.
    pub(crate) fn start(&self, process: Process) {
        let Process::Pod(service, replica) = process else { return };
        if self.pods.borrow().contains_key(&process) {
            return;
        }
        let (pod, hears): (Pod, &[Service]) = match service {
            Service::Order => (Pod::Orders(Orders::start(self, process)), &[Service::Payment]),
            Service::Payment => (Pod::Payments(Payments::start(self, process)), &[Service::Order]),
            Service::Inventory => {
                (Pod::Inventory(Inventory::start(self, process)), &[Service::Order, Service::Payment])
            }
            Service::Witness => (Pod::Witness, &[Service::Order, Service::Payment, Service::Inventory]),
        };
        for producer in hears {
            consumer::start(self, process, service, *producer, &pod);
        }
        if service != Service::Witness {
            relay::start(self, process, service, replica);
        }
        self.pods.borrow_mut().insert(process, pod);
    }

    /// Ends a process at once, wherever its tasks are.
    pub(crate) fn kill(&self, process: Process) {
        let pod = self.pods.borrow_mut().remove(&process);
        self.sim.kill(process);
        drop(pod);
    }

    pub(crate) fn pod(&self, process: Process) -> Option<Pod> {
        self.pods.borrow().get(&process).cloned()
    }

    /// Calls some pod of a service, and waits so long for its answer. `None`: nobody knows whether it did anything.
    pub(crate) async fn call<T, W>(
        &self,
        service: Service,
        limit: Millis,
        handle: impl FnOnce(Pod) -> W + 'static,
    ) -> Option<T>
    where
        T: 'static,
        W: Future<Output = Option<T>> + 'static,
    {
        let until = self.sim.now() + limit;
        let replica = self.sim.pick(usize::from(REPLICAS));
        let process = Process::Pod(service, u8::try_from(replica).expect("few pods"));
        self.sim.step().await;
        let pod = self.pod(process)?;
        let (promise, answer) = promise(&self.sim);
        let shop = self.clone();
        self.sim.spawn(process, async move {
            let answer = handle(pod).await;
            if shop.mishap(60, 1) == 0
                && let Some(answer) = answer
            {
                promise.keep(answer);
            }
        });
        match answer.until(until).await {
            Heard::Answer(answer) => Some(answer),
            Heard::Nothing | Heard::TooLate => None,
        }
    }
}

impl World {
    pub(crate) fn database(&self, service: Service) -> &Rc<Database> {
        &self.databases[&service]
    }

    /// Whether this bug is planted.
    pub(crate) fn planted(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether something goes wrong here, and which of so many ways (0: it does not). Once in so many times, and never
    /// more often than the schedule allows.
    pub(crate) fn mishap(&self, once_in: u32, ways: usize) -> usize {
        let left = self.mishaps.get();
        if left == 0 {
            return 0;
        }
        let way = self.sim.rarely(once_in, ways);
        self.mishaps.set(left - u32::from(way > 0));
        way
    }

    /// From now on nothing goes wrong.
    pub(crate) fn no_more_mishaps(&self) {
        self.mishaps.set(0);
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.ids.set(self.ids.get() + 1);
        Uuid::from_u128(self.ids.get())
    }

    pub(crate) fn envelope(&self, aggregate: String, version: i64, event: Event) -> Envelope {
        let (id, occurred_at) = (EventId::from_uuid(self.new_id()), self.sim.timestamp());
        Envelope { id, aggregate, version, occurred_at, traceparent: None, event }
    }

    /// Notes that something happens, so that a model in which it never does is noticed.
    pub(crate) fn reach(&self, what: &str) {
        if !self.reached.borrow().contains(what) {
            self.reached.borrow_mut().insert(what.to_owned());
        }
    }

    pub(crate) fn reached(&self) -> BTreeSet<String> {
        self.reached.borrow().clone()
    }

    pub(crate) fn complain(&self, what: String) {
        self.sim.tell(|| format!("WRONG: {what}"));
        self.complaints.borrow_mut().push(what);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.borrow().clone()
    }
}

/// How long services wait for a commit.
pub(crate) const COMMIT: Millis = 5 * SECOND;
