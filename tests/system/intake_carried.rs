//! Sites without a network: what a person carries is believed only where everything about it is right, and arrives exactly
//! once. And certificates that hold no longer: nodes learn of the hub's own.

use std::fs;
use std::path::{Path, PathBuf};

use headroom_tests::node_process::until;
use headroom_tests::{Hub, NodeProcess};
use serde_json::Value;

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A node that was enrolled by carried files, whose hub does not even run.
fn carried(hub: &Hub) -> NodeProcess {
    let node = NodeProcess::new("consent = [\"support\"]").expect("a folder and a port");
    node.enrol_by_files(hub).expect("enrolled");
    let (request, grant) = (node.folder().join("request.json"), node.folder().join("grant.json"));
    let again = hub.run(&["node", "sign", &text(&request), "--grant", &text(&grant)]);
    assert_eq!(again.code, 73, "never over another file");
    node
}

fn check(node: &NodeProcess, figure: &str) -> u64 {
    let told = node.must(&["store", "check", "--json"]).expect("whole");
    serde_json::from_str::<Value>(&told).expect("JSON")[figure].as_u64().expect("a count")
}

/// Lets the node measure until it holds more than so many samples.
async fn measure(node: &mut NodeProcess, samples: u64) {
    node.start().expect("it starts");
    // The file is there before its tables are: until then a check fails.
    let holds = |output: std::process::Output| {
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        told["samples"].as_u64().is_some_and(|count| count > samples)
    };
    until("it has measured", || node.command(&["store", "check", "--json"]).is_ok_and(holds))
        .await
        .expect("measured");
    node.kill();
}

fn export(node: &NodeProcess, name: &str) -> PathBuf {
    let bundle = node.folder().join(name);
    node.must(&["bundle", "export", &text(&bundle)]).expect("written");
    bundle
}

fn rows(hub: &Hub) -> u64 {
    let count = hub.psql("select count(*) || ' ' || count(distinct (component_id, at)) from fleet.status");
    let (all, distinct) = count.split_once(' ').expect("two counts");
    assert_eq!(all, distinct, "each once");
    all.parse().expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_carried_arrives_once_and_in_any_order() {
    let hub = Hub::new();
    let mut node = carried(&hub);
    measure(&mut node, 5).await;
    let first = export(&node, "first.bundle");
    let held = check(&node, "samples");
    measure(&mut node, held + 5).await;
    // Both hold what the hub has not acknowledged: the second holds the first. The newer one is imported first.
    let second = export(&node, "second.bundle");
    let back = node.folder().join("back.json");
    let imported =
        hub.run(&["node", "import-bundle", &text(&second), "--acknowledgement", &text(&back), "--json"]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert_eq!(imported.json()["rows"], check(&node, "samples"));
    for bundle in [&first, &second, &first] {
        let again = hub.run(&["node", "import-bundle", &text(bundle), "--json"]);
        assert_eq!(again.code, 0, "{}", again.err);
        assert_eq!(again.json()["rows"], 0, "importing again changes nothing");
    }
    assert_eq!(rows(&hub), check(&node, "samples"));
    let said = node.must(&["bundle", "acknowledge", &text(&back)]).expect("taken");
    assert!(said.contains("0 samples wait"), "{said}");
    let listed = hub.run(&["node", "list", "--json"]).json();
    assert_eq!(listed[0]["fork"], Value::Null, "an old file is no copy of the node: {listed}");
    assert_eq!(listed[0]["clock_ahead_seconds"], Value::Null, "and says nothing about its clock");
    let described = hub.psql(
        "select count(*) from fleet.components c join fleet.units u using (unit_id)
          where c.gone_at is null and u.gone_at is null and c.specs <> '{}'",
    );
    assert_ne!(described, "0", "specifications came along");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_bundle_brings_what_is_gone_and_undoes_nothing() {
    let hub = Hub::new();
    let mut node = carried(&hub);
    measure(&mut node, 5).await;
    let first = export(&node, "first.bundle");
    node.must(&["user", "set", "organisation", "Ada Ltd"]).expect("set");
    let held = check(&node, "samples");
    measure(&mut node, held + 5).await;
    let second = export(&node, "second.bundle");
    for bundle in [&second, &first] {
        let imported = hub.run(&["node", "import-bundle", &text(bundle), "--json"]);
        assert_eq!(imported.code, 0, "{}", imported.err);
        assert_eq!(imported.json()["set_aside"], 0);
        if bundle == &second {
            // As if the hub had never heard of this component.
            hub.psql(
                "delete from fleet.status where component_id = (select min(component_id) from fleet.components);
                 delete from fleet.components where component_id = (select min(component_id) from fleet.components)",
            );
        }
    }
    assert_eq!(hub.psql("select user_information ->> 'organisation' from fleet.nodes"), "Ada Ltd");
    assert_eq!(hub.psql("select count(*) from fleet.components where gone_at is not null"), "1");
    let brought = hub.psql(
        "select count(*) > 0 from fleet.status s join fleet.components c using (component_id) where c.gone_at is not null",
    );
    assert_eq!(brought, "t", "its samples have their component");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_believed_only_where_everything_about_it_is_right() {
    let (hub, other) = (Hub::new(), Hub::new());
    let mut node = carried(&hub);
    measure(&mut node, 3).await;
    let bundle = export(&node, "carried.bundle");
    let import = |hub: &Hub, path: &Path| {
        let ran = hub.run(&["node", "import-bundle", &text(path)]);
        (ran.code, ran.err)
    };
    let whole = fs::read(&bundle).expect("there");
    let changed = |name: &str, bytes: Vec<u8>| {
        let path = node.folder().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(whole.as_slice()), &mut plain)
        .expect("gzip");
    let zipped = |plain: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, plain).expect("zipped");
        out.finish().expect("zipped")
    };
    let mut forged = plain.clone();
    let digit = forged.windows(12).position(|word| word == b"\"sequence\":1").expect("a sample") + 11;
    forged[digit] = b'2';
    let cut = plain.len() / 2;
    for (what, path, code, says) in [
        ("cut off", changed("cut", whole[..whole.len() / 2].to_vec()), 65, "damaged"),
        ("cut off inside", changed("inside", zipped(&plain[..cut])), 65, "cut off"),
        ("no bundle", changed("none", b"hello".to_vec()), 65, "damaged"),
        ("changed", changed("forged", zipped(&forged)), 77, "signature"),
        ("not there", node.folder().join("nowhere"), 66, "cannot be opened"),
    ] {
        let (found, err) = import(&hub, &path);
        assert_eq!(found, code, "{what}: {err}");
        assert!(err.contains(says), "{what}: {err}");
    }
    let (code, err) = import(&other, &bundle);
    assert_eq!(code, 77, "another hub's: {err}");
    assert_eq!(rows(&hub), 0, "nothing was taken");
    assert_eq!(hub.run(&["node", "remove", &node.id().expect("an id").to_string()]).code, 0);
    let (code, err) = import(&hub, &bundle);
    assert_eq!(code, 77, "revoked: {err}");
    assert!(err.contains("revoked"), "{err}");
    assert_eq!(rows(&hub), 0, "nothing was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_certificate_of_the_hub_opens_no_node_once_it_was_replaced() {
    let mut hub = Hub::serving();
    let settings = format!("consent = [\"support\"]\nhub = \"{}\"", hub.intake);
    let mut node = NodeProcess::new(&settings).expect("a folder and a port");
    node.must(&["enrol", "--token", &hub.token(None)]).expect("enrolled");
    node.start().expect("it starts");
    until("the hub reads it", || hub.psql("select count(*) from fleet.status") != "0").await.expect("read");
    let authority = hub.folder().join("data/authority");
    let stolen = |name: &str| node.folder().join(name);
    for name in ["authority.pem", "hub.pem", "hub.key"] {
        fs::copy(authority.join(name), stolen(name)).expect("copied");
    }
    let (ca, cert, key) =
        (text(&stolen("authority.pem")), text(&stolen("hub.pem")), text(&stolen("hub.key")));
    let listen = node.listen().to_string();
    let read_stolen =
        || hub.run(&["node", "read", &listen, "--ca", &ca, "--cert", &cert, "--key", &key]).code;
    assert_eq!(read_stolen(), 0, "until then it opens the node");
    let replaced = hub.run(&["certificate", "replace"]);
    assert_eq!(replaced.code, 0, "{}", replaced.err);
    hub.stop();
    hub.serve();
    let read_stolen =
        || hub.run(&["node", "read", &listen, "--ca", &ca, "--cert", &cert, "--key", &key]).code;
    until("the node refuses the stolen one", || read_stolen() != 0).await.expect("refused");
    let before = rows(&hub);
    until("the hub still reads it", || rows(&hub) > before).await.expect("read");
    assert_ne!(read_stolen(), 0);
}
