//! JSON of smartctl, Redfish and LVM: told apart as in a capture, and given to each decoder whatever it is.
#![no_main]

use decoders::decode::redfish_tree::RedfishTree;
use decoders::decode::{lvm, redfish, smartctl};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    let _ = smartctl::decode(&json);
    let _ = lvm::decode(&json);
    let _ = redfish::decode(&json);
    let mut tree = RedfishTree::default();
    match json {
        Value::Array(resources) => resources.iter().for_each(|resource| tree.add(resource)),
        resource => tree.add(&resource),
    }
    tree.parts();
});
