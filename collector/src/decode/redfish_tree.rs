//! A Redfish tree: which drive, pool and volume provides the space of which.
//!
//! A disk group whose space is all handed to a pool reports itself full, and a pool above it is nearly empty. The
//! group is no alarm: only what serves volumes, or serves nobody yet, can run out. So providers of other pools keep
//! their size and lose their spent capacity, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use headroom_core::unit::{AbsenceReason, ComponentKey, ComponentKind};
use serde_json::Value;

use super::{
    Part,
    redfish::{decode, is_redfish, normal_id, resource_type, resources},
};

/// How deep references are followed: CapacitySource, collection, member, and one spare.
const DEPTH: usize = 4;

/// Resources of one service, by their id.
#[derive(Debug, Default)]
pub struct RedfishTree {
    resources: BTreeMap<String, Value>,
}

impl RedfishTree {
    /// Adds a resource and those inside it; what is no Redfish resource or has no id is left out.
    pub fn add(&mut self, json: &Value) {
        for resource in resources(json).into_iter().filter(|resource| is_redfish(resource)) {
            if let Some(id) = resource.get("@odata.id").and_then(Value::as_str).map(normal_id) {
                self.resources.insert(id, resource.clone());
            }
        }
    }

    /// All components of the tree, with what provides them.
    pub fn parts(&self) -> Vec<Part> {
        self.resources.values().flat_map(|json| self.parts_of_one(json)).collect()
    }

    /// The components of a resource and of those inside it, seen in the tree.
    pub fn parts_of(&self, json: &Value) -> Vec<Part> {
        resources(json).into_iter().flat_map(|resource| self.parts_of_one(resource)).collect()
    }

    fn parts_of_one(&self, json: &Value) -> Vec<Part> {
        let mut parts = decode(json).unwrap_or_default();
        let id = json.get("@odata.id").and_then(Value::as_str).map(normal_id).unwrap_or_default();
        for part in &mut parts {
            part.provided_by = self.providers(json);
            if part.kind == ComponentKind::Pool
                && let Some(above) = self.pool_above(&id)
            {
                hand_over(part, &above);
            }
        }
        parts
    }

    /// What the space of a resource is made of: the pools and drives that its `CapacitySources` or `Links` name.
    fn providers(&self, json: &Value) -> Vec<ComponentKey> {
        let mut found = BTreeSet::new();
        for pointer in ["/CapacitySources", "/Links/Drives", "/ProvidingPools", "/ProvidingDrives"] {
            if pointer == "/Links/Drives" && !found.is_empty() {
                // A volume of a pool may name the drives under the pool too: the pool provides it.
                continue;
            }
            if let Some(value) = json.pointer(pointer) {
                self.follow(value, DEPTH, &mut found);
            }
        }
        let own = json.get("@odata.id").and_then(Value::as_str).map(normal_id);
        found
            .into_iter()
            .filter(|id| Some(id) != own.as_ref())
            .map(|id| ComponentKey(format!("redfish:{id}")))
            .collect()
    }

    fn follow(&self, value: &Value, depth: usize, found: &mut BTreeSet<String>) {
        if depth == 0 {
            return;
        }
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.follow(value, depth, found)),
            Value::Object(fields) => {
                let providing: Vec<&Value> =
                    ["ProvidingPools", "ProvidingDrives", "ProvidingVolumes", "ProvidedBy", "Members"]
                        .iter()
                        .filter_map(|name| fields.get(*name))
                        .collect();
                if !providing.is_empty() {
                    providing.into_iter().for_each(|value| self.follow(value, depth - 1, found));
                    return;
                }
                let Some(raw) = fields.get("@odata.id").and_then(Value::as_str) else { return };
                let id = normal_id(raw);
                match self.resources.get(&id) {
                    Some(resource) => match resource_type(resource) {
                        Some("StoragePool" | "Drive" | "Volume") => {
                            found.insert(id);
                        }
                        // A CapacitySource or a collection in a file of its own.
                        Some(
                            "CapacitySource"
                            | "DriveCollection"
                            | "StoragePoolCollection"
                            | "VolumeCollection",
                        ) => {
                            self.follow(resource, depth - 1, found);
                        }
                        _ => {}
                    },
                    // Not in the capture: the path tells what it is.
                    None if id.contains("/StoragePools/") || id.contains("/Drives/") => {
                        found.insert(id);
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// The pool that this pool's space is handed to.
    fn pool_above(&self, id: &str) -> Option<String> {
        let key = ComponentKey(format!("redfish:{id}"));
        let mut pools = self.resources.iter().filter(|(_, json)| resource_type(json) == Some("StoragePool"));
        pools.find(|(other, json)| *other != id && self.providers(json).contains(&key)).map(|(_, json)| {
            json.get("Name")
                .or_else(|| json.get("Id"))
                .and_then(Value::as_str)
                .unwrap_or("another pool")
                .to_owned()
        })
    }
}

fn hand_over(part: &mut Part, above: &str) {
    part.findings.status.used_bytes = None;
    part.findings.status.used_source = None;
    part.findings.sources.remove("used_bytes");
    let detail = format!("its space is handed to pool {above}: what is spent is told there");
    part.findings.missing.retain(|missing| missing.field != "used_bytes");
    part.findings.absent("used_bytes", AbsenceReason::NotReported, detail);
}

#[cfg(test)]
mod tests {
    use headroom_core::{quantity::Bytes, unit::ComponentKey};
    use serde_json::{Value, json};

    use super::RedfishTree;

    /// The shape of a real array: disk group dgA01 full, because all of it belongs to pool A, which is nearly empty.
    fn array() -> RedfishTree {
        let pool = |name: &str, left: u32, used: u64, sources: Value| {
            json!({"@odata.id": format!("/redfish/v1/Storage/a/StoragePools/{name}"), "Name": name,
                "@odata.type": "#StoragePool.v1_5_0.StoragePool", "RemainingCapacityPercent": left,
                "Capacity": {"Data": {"AllocatedBytes": 1_798_177_816_576_u64, "ConsumedBytes": used}},
                "CapacitySources": sources})
        };
        let members = |kind: &str, id: &str| json!([{ kind: {"Members": [{"@odata.id": id}]} }]);
        let mut tree = RedfishTree::default();
        tree.add(&pool(
            "dgA01",
            0,
            1_798_177_816_576,
            members("ProvidingDrives", "/redfish/v1/Storage/a/Drives/0.0"),
        ));
        tree.add(&pool(
            "A",
            99,
            16_384,
            members("ProvidingPools", "/redfish/v1/Storage/a/StoragePools/dgA01"),
        ));
        tree.add(&json!({"@odata.id": "/redfish/v1/Storage/a/Volumes/V1", "@odata.type": "#Volume.v1_5_0.Volume",
            "CapacityBytes": 100_000, "Links": {"Drives": [{"@odata.id": "/redfish/v1/Storage/a/Drives/0.0"}]},
            "CapacitySources": members("ProvidingPools", "/redfish/v1/Storage/a/StoragePools/A")}));
        tree
    }

    #[test]
    fn a_full_disk_group_inside_an_empty_pool_is_no_alarm() {
        let parts = array().parts();
        let find = |end: &str| parts.iter().find(|part| part.key.0.ends_with(end)).unwrap();
        assert_eq!(find("/A").findings.status.used_bytes, Some(Bytes(16_384)));
        let group = find("/dgA01");
        assert_eq!(group.findings.status.used_bytes, None);
        assert_eq!(group.findings.specs.capacity_bytes, Some(Bytes(1_798_177_816_576)), "the size is kept");
        assert!(group.absences()[0].detail.as_ref().unwrap().contains("pool A"));
    }

    #[test]
    fn providers_are_followed_and_the_nearest_is_named() {
        let parts = array().parts();
        let find = |end: &str| parts.iter().find(|part| part.key.0.ends_with(end)).unwrap();
        let key = |id: &str| ComponentKey(format!("redfish:/redfish/v1/Storage/a/{id}"));
        assert_eq!(find("/V1").provided_by, [key("StoragePools/A")]);
        assert_eq!(find("/A").provided_by, [key("StoragePools/dgA01")]);
        assert_eq!(find("/dgA01").provided_by, [key("Drives/0.0")]);
    }

    #[test]
    fn a_collection_that_was_expanded_is_read_with_what_is_inside() {
        let pool = |name: &str, sources: Value| {
            json!({"@odata.id": format!("/redfish/v1/Storage/a/StoragePools/{name}"), "Name": name,
                "@odata.type": "#StoragePool.v1_5_0.StoragePool", "CapacitySources": sources,
                "Capacity": {"Data": {"AllocatedBytes": 1_000_000, "ConsumedBytes": 1_000_000}}})
        };
        let below = json!([{"ProvidingPools": {"Members": [{"@odata.id": "/redfish/v1/Storage/a/StoragePools/dg"}]}}]);
        let json = json!({"@odata.id": "/redfish/v1/Storage/a/StoragePools",
            "@odata.type": "#StoragePoolCollection.StoragePoolCollection",
            "Members": [pool("dg", json!([])), pool("A", below), {"@odata.id": "/redfish/v1/only/a/link"}]});
        let mut tree = RedfishTree::default();
        tree.add(&json);
        let parts = tree.parts_of(&json);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].findings.status.used_bytes, None, "its space is handed to A");
        assert_eq!(parts[1].findings.status.used_bytes, Some(Bytes(1_000_000)));
        assert_eq!(tree.parts(), parts.iter().rev().cloned().collect::<Vec<_>>());
    }

    #[test]
    fn circles_end() {
        let mut tree = RedfishTree::default();
        for (one, other) in [("X", "Y"), ("Y", "X")] {
            tree.add(&json!({"@odata.id": format!("/p/{one}"), "@odata.type": "#StoragePool.v1.StoragePool",
                "CapacitySources": [{"@odata.id": format!("/p/{other}")}]}));
        }
        assert_eq!(tree.parts().len(), 2);
    }
}
