//! Who consumes whose events, out of the service table. What belongs here: questions that relay and consumer ask it.

use std::collections::BTreeMap;

use shop_config::SERVICES;
use shop_types::Topic;

/// The services that consume a topic of this producer: their groups must have handled an event before it is confirmed.
pub(crate) fn consumers_of(producer: &str) -> Vec<&'static str> {
    let consumes = |topics: &[&str]| topics.iter().any(|name| produced_by(name, producer));
    SERVICES.iter().filter(|spec| consumes(spec.consumes)).map(|spec| spec.name).collect()
}

/// The topics of a consumer by the stream that they come in.
///
/// # Errors
/// A sentence, when the table does not say the same: a consumer acknowledges the other topics of its streams, so those of
/// its service must all be among its own, and a relay counts only the groups of the table.
pub(crate) fn streams_of(service: &str, topics: &[Topic]) -> Result<BTreeMap<&'static str, Vec<Topic>>, String> {
    let spec = shop_config::service(service).ok_or_else(|| format!("{service} is not in the service table"))?;
    let mut streams = BTreeMap::<&'static str, Vec<Topic>>::new();
    for topic in topics {
        if !spec.consumes.contains(&topic.name()) {
            return Err(format!("the service table does not say that {service} consumes {}", topic.name()));
        }
        for producer in topic.producers() {
            streams.entry(*producer).or_default().push(*topic);
        }
    }
    let lacks = |topic: Topic| {
        let mut own = topic.producers().iter().filter_map(|producer| streams.get(producer));
        own.any(|topics| !topics.contains(&topic))
    };
    let left_out = |name: &&&str| Topic::from_name(name).is_none_or(lacks);
    if let Some(name) = spec.consumes.iter().find(left_out) {
        return Err(format!("{service} consumes {name} by another consumer of the same stream, or nobody knows it"));
    }
    Ok(streams)
}

fn produced_by(name: &str, producer: &str) -> bool {
    Topic::from_name(name).is_some_and(|topic| topic.producers().contains(&producer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_consumed_topic_is_known_and_has_a_consumer_group_at_its_producer() {
        for spec in SERVICES {
            for name in spec.consumes {
                let topic = Topic::from_name(name).unwrap();
                for producer in topic.producers() {
                    assert!(consumers_of(producer).contains(&spec.name), "{name}");
                }
            }
        }
        assert_eq!(consumers_of("cart"), ["identity"]);
        assert_eq!(consumers_of("edge"), [""; 0]);
    }

    #[test]
    fn a_consumer_takes_all_topics_of_a_stream_or_none() {
        let spec = SERVICES.iter().find(|spec| spec.name == "inventory").unwrap();
        let all: Vec<Topic> = spec.consumes.iter().filter_map(|name| Topic::from_name(name)).collect();
        let (of_orders, others): (Vec<Topic>, Vec<Topic>) =
            all.iter().partition(|topic| topic.producers() == ["order"]);
        assert!(of_orders.len() > 1 && !others.is_empty(), "the table has what this test needs: {all:?}");

        let whole = streams_of("inventory", &of_orders).unwrap();
        assert_eq!(whole, BTreeMap::from([("order", of_orders.clone())]));
        assert_eq!(streams_of("inventory", &all).unwrap().len(), 2);

        assert!(streams_of("inventory", &of_orders[1..]).unwrap_err().contains(of_orders[0].name()));
        assert!(streams_of("inventory", &[Topic::UserCreated]).unwrap_err().contains("user.created"));
        assert!(streams_of("nobody", &[]).is_err());
    }

    #[test]
    fn a_topic_of_many_services_is_heard_in_all_their_streams() {
        let spec = SERVICES.iter().find(|spec| spec.name == "identity").unwrap();
        let all: Vec<Topic> = spec.consumes.iter().filter_map(|name| Topic::from_name(name)).collect();
        let streams = streams_of("identity", &all).unwrap();
        assert_eq!(streams.keys().copied().collect::<Vec<_>>(), {
            let mut producers = Topic::StaffCalled.producers().to_vec();
            producers.sort_unstable();
            producers
        });
        assert_eq!(streams["order"].len(), 3);
        assert!(streams_of("identity", &[Topic::StaffCalled]).is_err(), "order.created comes in the same stream");
    }
}
