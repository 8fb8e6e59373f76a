//! Arrays by Redfish: the node against a management interface that replays a pool's growth, over real HTTP.

#![expect(clippy::unwrap_used, reason = "what a test finds missing ends it where it stands")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use headroom_tests::built::program;
use serde_json::{Value, json};

/// What the pool holds at each reading, bytes; after the last it stays.
const SERIES: [u64; 3] = [400_000_000_000, 650_000_000_000, 900_000_000_000];
const POOL_BYTES: u64 = 1_798_177_816_576;
const ROOT: &str = "/redfish/v1";
const POOL: &str = "/redfish/v1/Storage/a/StoragePools/A";

/// A management interface that replays. It answers until the test ends.
struct Array {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

fn resource(id: &str, kind: &str, fields: &Value) -> (String, Value) {
    let mut resource = json!({"@odata.id": id, "@odata.type": format!("#{kind}.v1_5_0.{kind}")});
    for (name, value) in fields.as_object().unwrap() {
        resource[name] = value.clone();
    }
    (id.to_owned(), resource)
}

fn members(ids: &[&str]) -> Value {
    json!({"Members": ids.iter().map(|id| json!({"@odata.id": id})).collect::<Vec<_>>()})
}

/// The shape of a real array: disk group dgA01 is full, because all of it belongs to pool A; a volume is made of A.
fn resources(used: u64) -> BTreeMap<String, Value> {
    let at = |path: &str| format!("{ROOT}/{path}");
    let space = |used: u64| json!({"Data": {"AllocatedBytes": POOL_BYTES, "ConsumedBytes": used}});
    let from = |kind: &str, id: &str| json!([{ kind: {"Members": [{"@odata.id": id}]} }]);
    let (group, drive) = (at("Storage/a/StoragePools/dgA01"), at("Storage/a/Drives/0.0"));
    BTreeMap::from([
        resource(
            ROOT,
            "ServiceRoot",
            &json!({"UUID": "92384634-2938-2342-8820-489239905423",
            "Storage": {"@odata.id": at("Storage")}, "Systems": {"@odata.id": at("Systems")}}),
        ),
        resource(&at("Systems"), "ComputerSystemCollection", &members(&[&at("Systems/1")])),
        resource(
            &at("Systems/1"),
            "ComputerSystem",
            &json!({"Manufacturer": "SEAGATE", "Model": "4006", "SerialNumber": "DHSIFTJ-1834"}),
        ),
        resource(&at("Storage"), "StorageCollection", &members(&[&at("Storage/a")])),
        resource(
            &at("Storage/a"),
            "Storage",
            &json!({"Drives": [{"@odata.id": drive}],
            "StoragePools": {"@odata.id": at("Storage/a/StoragePools")}, "Volumes": {"@odata.id": at("Storage/a/Volumes")}}),
        ),
        resource(&at("Storage/a/StoragePools"), "StoragePoolCollection", &members(&[POOL, &group])),
        resource(&at("Storage/a/Volumes"), "VolumeCollection", &members(&[&at("Storage/a/Volumes/V1")])),
        resource(
            &group,
            "StoragePool",
            &json!({"Name": "dgA01", "RemainingCapacityPercent": 0,
            "Capacity": space(POOL_BYTES), "CapacitySources": from("ProvidingDrives", &drive)}),
        ),
        resource(
            POOL,
            "StoragePool",
            &json!({"Name": "A", "Capacity": space(used),
            "CapacitySources": from("ProvidingPools", &group)}),
        ),
        resource(
            &at("Storage/a/Volumes/V1"),
            "Volume",
            &json!({"Name": "V1", "CapacityBytes": 100_000_000_000_u64,
            "CapacitySources": from("ProvidingPools", POOL)}),
        ),
        resource(
            &drive,
            "Drive",
            &json!({"SerialNumber": "WFK1", "Model": "ST1800MM0129", "Manufacturer": "SEAGATE",
            "CapacityBytes": 1_800_360_124_416_u64, "PredictedMediaLifeLeftPercent": 97}),
        ),
    ])
}

impl Array {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        // It lives as long as the test's process: a request never ends it.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &log);
            }
        });
        Self { address, asked }
    }
}

/// Answers one request and closes, as small management controllers do.
fn answer(mut stream: TcpStream, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let readings = {
        let mut log = log.lock().unwrap();
        log.push(path.clone());
        log.iter().filter(|asked| *asked == POOL).count()
    };
    let used = SERIES[readings.saturating_sub(1).min(SERIES.len() - 1)];
    let is_allowed = headers.iter().any(|line| line == "authorization: Basic cmVhZGVyOnNlY3JldA==");
    let (status, body) = match resources(used).get(&path) {
        _ if !is_allowed => ("401 Unauthorized", json!({})),
        Some(resource) => ("200 OK", resource.clone()),
        None => ("404 Not Found", json!({})),
    };
    let body = body.to_string();
    let length = body.len();
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
}

/// What `headroom-node probe` printed, one object a round.
fn probe(arguments: &[&str]) -> Vec<Value> {
    let output =
        Command::new(program("headroom-node").unwrap()).arg("probe").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::Deserializer::from_str(&text).into_iter().map(|one| one.unwrap()).collect()
}

fn array_of(seen: &Value) -> Value {
    let mut arrays = seen["units"].as_array().unwrap().iter().filter(|unit| unit["kind"] == "array");
    arrays.next().cloned().unwrap_or_else(|| panic!("no array: {seen}"))
}

fn component(seen: &Value, label: &str) -> (Value, Value) {
    let array = array_of(seen);
    let own =
        array["components"].as_array().unwrap().iter().find(|component| component["label"] == label).cloned();
    let own = own.unwrap_or_else(|| panic!("no {label}: {array}"));
    let status =
        seen["status"].as_array().unwrap().iter().find(|status| status["component"] == own["key"]).cloned();
    (own, status.unwrap())
}

#[test]
fn a_pool_that_grows_is_followed_and_a_full_disk_group_inside_it_is_no_alarm() {
    let array = Array::start();
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    std::fs::write(&credentials, "reader:secret\n").unwrap();
    let credentials = credentials.display().to_string();
    let looks = probe(&[
        "--rounds",
        "4",
        "--pause",
        "0",
        "--arrays",
        &array.address,
        "--arrays-credentials",
        &credentials,
    ]);
    let used: Vec<Value> = looks.iter().map(|look| component(look, "A").1["used_bytes"].clone()).collect();
    assert_eq!(used, [SERIES[0], SERIES[1], SERIES[2], SERIES[2]].map(Value::from));

    let last = looks.last().unwrap();
    let (pool, group, volume) = (component(last, "A"), component(last, "dgA01"), component(last, "V1"));
    assert_eq!(pool.1["used_source"], "array_pool");
    assert_eq!(group.1["used_bytes"], Value::Null, "all of it is handed to pool A");
    assert_eq!(pool.0["provided_by"], json!([group.0["key"]]));
    assert_eq!(volume.0["provided_by"], json!([pool.0["key"]]));
    let identity = array_of(last)["identity"].to_string();
    assert!(identity.contains("SEAGATE|4006|DHSIFTJ-1834"), "{identity}");
    // The tree is walked once: afterwards only pools and the volume are asked.
    let drives = array.asked.lock().unwrap().iter().filter(|path| path.contains("/Drives/")).count();
    assert_eq!(drives, 1);
}

#[test]
fn an_array_that_lets_nobody_in_is_listed_with_the_reason() {
    let array = Array::start();
    let look = probe(&["--arrays", &array.address]).remove(0);
    let key = array_of(&look)["components"][0]["key"].clone();
    let absence =
        look["absences"].as_array().unwrap().iter().find(|absence| absence["component"] == key).unwrap();
    assert_eq!(absence["reason"], "permission_denied");
    assert!(absence["detail"].as_str().unwrap().contains("account of the array"), "{absence}");
}
