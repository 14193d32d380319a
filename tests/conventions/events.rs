//! Every event has a producer, and a consumer or the mark "outward" (ruling 7).

use shop_config::{SERVICES, Store};
use shop_types::Topic;
use shop_types::event::Audience;

#[test]
fn every_topic_is_emitted_by_a_service_of_the_table() {
    for topic in Topic::ALL {
        assert!(!topic.producers().is_empty(), "{} comes from nobody", topic.name());
        for producer in topic.producers() {
            assert!(shop_config::service(producer).is_some(), "{} comes from {producer}, who is nobody", topic.name());
        }
    }
}

#[test]
fn whoever_keeps_data_tells_what_staff_changes() {
    let mut keepers: Vec<_> = SERVICES.iter().filter(|spec| spec.needs(Store::MongoDb)).map(|spec| spec.name).collect();
    keepers.sort_unstable();
    for topic in [Topic::StaffCalled, Topic::StaffAnswered] {
        let mut producers = topic.producers().to_vec();
        producers.sort_unstable();
        assert_eq!(producers, keepers, "{}", topic.name());
    }
}

#[test]
fn every_consumed_word_is_a_topic() {
    for spec in SERVICES {
        for word in spec.consumes {
            assert!(Topic::from_name(word).is_some(), "{} consumes {word}, which nobody emits", spec.name);
        }
    }
}

#[test]
fn inward_topics_have_a_consumer_and_outward_ones_none() {
    for topic in Topic::ALL {
        let consumers: Vec<_> =
            SERVICES.iter().filter(|spec| spec.consumes.contains(&topic.name())).map(|spec| spec.name).collect();
        match topic.audience() {
            Audience::Inward => assert!(!consumers.is_empty(), "nobody consumes {}", topic.name()),
            Audience::Outward => {
                assert!(consumers.is_empty(), "{} is outward, yet {consumers:?} consume it", topic.name());
            }
        }
    }
}

#[test]
fn every_consumed_topic_stands_in_the_events_file_of_its_consumer() {
    for spec in SERVICES.iter().filter(|spec| !spec.consumes.is_empty()) {
        let events = crate::tree::read(format!("crates/services/{}/src/events.rs", spec.name));
        for word in spec.consumes {
            let topic = Topic::from_name(word).expect("checked above");
            assert!(
                events.contains(&format!("Topic::{topic:?}")),
                "{}: events.rs does not name Topic::{topic:?}",
                spec.name
            );
        }
    }
}
