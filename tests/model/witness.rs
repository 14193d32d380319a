//! The witness: a consumer of everything, for services whose effects show when an event is lost or counted twice. It
//! "sends a message" for each event and shows the newest stock that it was told of.

use std::rc::Rc;

use shop_types::{Envelope, Event};

use crate::consumer::Verdict;
use crate::engine::Service;
use crate::inbox;
use crate::store::{Database, Failed};
use crate::world::Shop;

pub(crate) async fn hear(shop: &Shop, events: Vec<Envelope>) -> Vec<Verdict> {
    let database: &Rc<Database> = shop.database(Service::Witness);
    loop {
        let mut txn = database.begin();
        {
            let tables = database.tables();
            let ids: Vec<_> = events.iter().map(|event| event.id).collect();
            let had = inbox::claim(shop, &tables, &mut txn, &ids);
            let mut shown = tables.shown.clone();
            for event in events.iter().filter(|event| !had.contains(&event.id)) {
                let effects = tables.effects.get(&event.id).copied().unwrap_or(0);
                txn.put(|tables| &mut tables.effects, event.id, effects + 1);
                if let Event::StockChanged(fact) = &event.event
                    && shown.get(&fact.sku).is_none_or(|(version, _)| *version < fact.version)
                {
                    shown.insert(fact.sku.clone(), (fact.version, fact.available));
                    txn.put(|tables| &mut tables.shown, fact.sku.clone(), (fact.version, fact.available));
                }
            }
        }
        match database.commit(txn).await {
            Ok(()) => return vec![Verdict::Handled; events.len()],
            Err(Failed::Conflict) => {}
            Err(Failed::Away) => return vec![Verdict::Away; events.len()],
        }
    }
}
