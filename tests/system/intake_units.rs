//! A unit's life as nodes tell it: discovered, matched to its sale, moved, expanded, gone; and what a person decides.

use headroom_core::{
    quantity::Bytes,
    unit::{Component, ComponentKey, ComponentKind, Consent, Specs},
};
use headroom_tests::{Hub, Node, node::drive};

const CUSTOMERS: &str = "reference,name,territory,consent\nC-1,First,North,support advice sales\nC-2,Second,South,support advice sales\n";

fn units(hub: &Hub) -> String {
    hub.psql(
        "select string_agg(coalesce(serial, '?') || ' ' || life || ' ' || coalesce(reference, 'nobody')
                           || case when node_id is null then '' else ' seen' end
                           || case when u.gone_at is null then '' else ' gone' end, ', ' order by serial, unit_id)
           from fleet.units u left join fleet.customers using (customer_id)",
    )
}

#[tokio::test]
async fn a_sale_and_what_a_node_sees_become_one_whichever_comes_first() {
    let hub = Hub::serving();
    hub.import("customers", CUSTOMERS);
    let sale = hub.import("units", "serial,customer,name\nsold-1,C-1,Archive\n");
    assert_eq!(sale.code, 0, "{}", sale.err);
    assert_eq!(units(&hub), "sold-1 sold C-1");
    // The serial number as the drive spells it.
    let node = Node::enrol(&hub, Some("C-1"), "SOLD-1").await;
    node.tell(&hub, 1, 2).await;
    assert_eq!(units(&hub), "sold-1 matched C-1 seen");
    assert_eq!(
        hub.psql("select name || ' ' || kind || ' ' || model from fleet.units"),
        "Archive drive DISK-4"
    );

    let other = Node::enrol(&hub, Some("C-1"), "LATER-1").await;
    other.tell(&hub, 1, 3).await;
    let list = hub.run(&["unit", "list", "--unmatched", "--json"]).json();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert!(list[0]["unmatched"].as_str().is_some_and(|why| why.contains("no sold unit")), "{list}");
    hub.import("units", "serial,customer,name\nLATER-1,C-1,Mail\n");
    assert_eq!(units(&hub), "LATER-1 matched C-1 seen, sold-1 matched C-1 seen");
    assert_eq!(hub.psql("select count(*) from fleet.status"), "5", "the history stays");
}

#[tokio::test]
async fn nobody_gets_hold_of_another_customers_unit_by_its_serial_number() {
    let hub = Hub::serving();
    hub.import("customers", CUSTOMERS);
    hub.import("units", "serial,customer\nS1,C-1\n");
    let thief = Node::enrol(&hub, Some("C-2"), "S1").await;
    thief.tell(&hub, 1, 1).await;
    assert_eq!(units(&hub), "S1 sold C-1, S1 discovered C-2 seen");
    let why = hub.psql("select unmatched from fleet.units where node_id is not null");
    assert!(why.contains("another customer"), "{why}");
    // A person who knows better says so.
    let sale = hub.psql("select unit_id from fleet.units where node_id is null");
    let seen = hub.psql("select unit_id from fleet.units where node_id is not null");
    let ran = hub.run(&["unit", "match", &seen, &sale]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(units(&hub), "S1 matched C-1 seen");
}

#[tokio::test]
async fn a_unit_that_moves_takes_its_history_along() {
    let hub = Hub::serving();
    hub.import("customers", CUSTOMERS);
    hub.import("units", "serial,customer\nS1,C-1\n");
    let mut first = Node::enrol(&hub, Some("C-1"), "S1").await;
    first.tell(&hub, 1, 3).await;
    let unit = hub.psql("select unit_id from fleet.units");
    let mut second = Node::enrol(&hub, Some("C-1"), "S1").await;
    second.begun = first.begun + jiff::SignedDuration::from_hours(24);
    // Seen by both: two drives with one serial number, or one drive on two paths. A person decides.
    second.tell(&hub, 1, 1).await;
    assert_eq!(units(&hub), "S1 matched C-1 seen, S1 discovered C-1 seen");
    hub.psql("delete from fleet.units where life = 'discovered'");
    // Pulled out of the first, put into the second.
    first.units = vec![drive("S9")];
    let mut push = first.push(4, 4);
    push.batch.samples.clear();
    push.batch.gaps = vec![push.batch.range.expect("a range")];
    assert_eq!(first.send(&hub, &push).await.0, 200);
    second.units[0].components[0].label = Some("/dev/sdb".to_owned());
    second.tell(&hub, 2, 2).await;
    assert_eq!(units(&hub), "S1 moved C-1 seen, S9 discovered C-1 seen");
    assert_eq!(hub.psql("select unit_id from fleet.units where serial = 'S1'"), unit);
    let count = format!(
        "select count(*) from fleet.status join fleet.components using (component_id) where unit_id = {unit}"
    );
    assert_eq!(hub.psql(&count), "4");
}

#[tokio::test]
async fn what_is_no_longer_there_stays_with_its_history_and_late_samples_still_count() {
    let hub = Hub::serving();
    let mut node = Node::enrol(&hub, None, "S1").await;
    node.tell(&hub, 1, 2).await;
    let samples: Vec<_> = (3..=4).map(|sequence| node.sample(sequence)).collect();
    // The file system was unmounted while the hub was away.
    let gone = node.units[0].components.remove(1);
    let mut push = node.push(3, 4);
    push.answer.status.clear();
    push.batch.samples = samples;
    push.answer.gone =
        vec![headroom_core::unit::UnitReport { components: vec![gone], ..node.units[0].clone() }];
    let (status, body) = node.send(&hub, &push).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(hub.psql("select count(*) from fleet.status"), "4");
    assert_eq!(hub.psql("select kind from fleet.components where gone_at is not null"), "file_system");
    // One that the hub never heard of before it was gone.
    let mut push = node.push(5, 5);
    push.answer.status.clear();
    let mut other = drive("S7");
    push.batch.samples[0].component = other.components[1].key.clone();
    other.components.truncate(2);
    push.answer.gone = vec![other];
    let (status, body) = node.send(&hub, &push).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(hub.psql("select count(*) from fleet.status"), "5");
    assert_eq!(hub.psql("select count(*) from fleet.set_aside"), "0");
    assert_eq!(units(&hub), "S1 discovered nobody seen, S7 discovered nobody seen gone");
}

#[tokio::test]
async fn a_drive_that_was_added_expands_the_unit() {
    let hub = Hub::serving();
    hub.import("customers", CUSTOMERS);
    hub.import("units", "serial,customer\nS1,C-1\n");
    let mut node = Node::enrol(&hub, Some("C-1"), "S1").await;
    node.tell(&hub, 1, 1).await;
    node.units[0].components.push(Component {
        key: ComponentKey("drive-2".to_owned()),
        kind: ComponentKind::Drive,
        label: None,
        provided_by: Vec::new(),
        identity: Vec::new(),
        specs: Specs { capacity_bytes: Some(Bytes(1 << 40)), ..Specs::default() },
    });
    node.tell(&hub, 2, 2).await;
    assert_eq!(units(&hub), "S1 expanded C-1 seen");
}

#[tokio::test]
async fn withdrawn_consent_is_heard_and_hides_nothing_but_what_it_must() {
    let hub = Hub::serving();
    hub.import("customers", CUSTOMERS);
    let mut node = Node::enrol(&hub, Some("C-1"), "S1").await;
    node.tell(&hub, 1, 2).await;
    assert_eq!(hub.psql("select consent_sales from fleet.nodes"), "t");
    // All were withdrawn: the node tells this decision alone.
    node.consent = Consent::default();
    let mut push = node.push(3, 3);
    push.answer.user.version = 2;
    push.answer.units.clear();
    push.answer.status.clear();
    push.batch = headroom_core::exchange::Batch { range: None, samples: Vec::new(), ..push.batch };
    let (status, body) = node.send(&hub, &push).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(hub.psql("select consent_sales or consent_support from fleet.nodes"), "f");
    assert_eq!(units(&hub), "S1 discovered C-1 seen", "the unit is not gone");
    // An older version grants nothing again.
    node.consent = Consent { support: true, advice: true, sales: true };
    node.tell(&hub, 3, 3).await;
    assert_eq!(hub.psql("select consent_sales from fleet.nodes"), "f");
}
