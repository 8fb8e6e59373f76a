//! What is asked of an NVMe controller: pages that it says it has, and no others, because a refused command raises the
//! drive's own error counter.

use std::collections::BTreeSet;

use super::session::{Page, Refused, Session};
use crate::decode::nvme_identify;
use crate::transport::{NvmeCommand, TransportError};

const IDENTIFY: u8 = 0x06;
const GET_LOG_PAGE: u8 = 0x02;
const WHOLE_CONTROLLER: u32 = 0xffff_ffff;
/// Log page 02h: 128 dwords less one in the upper half.
pub(super) const SMART_DWORD10: u32 = 0x007f_0002;
/// Log page 09h, likewise.
const ENDURANCE_GROUP_DWORD10: u32 = 0x007f_0009;
/// Log page 0Ch with room for 4,096 bytes.
const ANA_DWORD10: u32 = 0x03ff_000c;
/// Namespaces and endurance groups of one controller that are asked at most: a list has room for 1,024.
const NAMESPACES_MAX: usize = 256;
const GROUPS_MAX: u16 = 16;

/// What one controller answered.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) controller: Page,
    pub(super) smart: Page,
    /// Endurance groups by id.
    pub(super) endurance_groups: Vec<(u16, Page)>,
    /// Asymmetric namespace access, where the controller has it.
    pub(super) paths: Option<Page>,
    /// Ids of the active namespaces.
    pub(super) namespace_ids: Result<Vec<u32>, TransportError>,
    /// Id, Identify Namespace, descriptors.
    pub(super) namespaces: Vec<(u32, Page, Page)>,
    pub(super) refused: Refused,
}

/// Asks for everything that the controller says it has. `known` are the namespaces that the kernel shows.
pub(super) fn ask(mut session: Session, known: &[u32]) -> Pages {
    let controller = session.nvme(identify(0, 1));
    let features = controller.as_ref().ok().and_then(|bytes| nvme_identify::controller(bytes).ok());
    let smart = session.nvme(log_page(SMART_DWORD10, 0, 512));
    let list = session.nvme(identify(0, 2)).and_then(|bytes| {
        nvme_identify::namespace_list(&bytes).map_err(|error| TransportError::System {
            what: "the list of namespaces".to_owned(),
            message: error.to_string(),
        })
    });
    let ids: BTreeSet<u32> = known.iter().chain(list.as_deref().unwrap_or(&[])).copied().collect();
    let namespaces = ids
        .into_iter()
        .take(NAMESPACES_MAX)
        .map(|id| (id, session.nvme(identify(id, 0)), session.nvme(identify(id, 3))))
        .collect();
    let mut endurance_groups = Vec::new();
    if let Some(features) = features.as_ref().filter(|features| features.has_endurance_groups) {
        for group in 1..=features.endurance_group_max.min(GROUPS_MAX) {
            // The group's id stands in the log specific identifier, the upper half of dword 11.
            let page = session.nvme(log_page(ENDURANCE_GROUP_DWORD10, u32::from(group) << 16, 512));
            endurance_groups.push((group, page));
        }
    }
    let paths = features
        .is_some_and(|features| features.has_ana)
        .then(|| session.nvme(log_page(ANA_DWORD10, 0, 4_096)));
    Pages {
        controller,
        smart,
        endurance_groups,
        paths,
        namespace_ids: list,
        namespaces,
        refused: session.into_refused(),
    }
}

fn identify(namespace: u32, dword10: u32) -> NvmeCommand {
    NvmeCommand { operation: IDENTIFY, namespace, dword10, dword11: 0, length: 4_096 }
}

fn log_page(dword10: u32, dword11: u32, length: u32) -> NvmeCommand {
    NvmeCommand { operation: GET_LOG_PAGE, namespace: WHOLE_CONTROLLER, dword10, dword11, length }
}
