//! NVMe log page 0Ch, Asymmetric Namespace Access: which paths lead to which namespaces.
//!
//! Offsets: NVM Express Base Specification, ANA log page: header of 16 bytes (change count 0..8, number of groups
//! 8..10), then per group 32 bytes (group id 0..4, number of namespaces 4..8, state 16) and its namespace ids.

use serde::Serialize;

use super::{DecodeError, Page};

const PAGE: &str = "NVMe log page 0Ch (asymmetric namespace access)";

/// How a group can be reached through the controller that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnaState {
    /// 1: the best path.
    Optimized,
    /// 2: works, slower.
    NonOptimized,
    /// 3: not through this controller for now.
    Inaccessible,
    /// 4: never again.
    PersistentLoss,
    /// 15: changing.
    Change,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnaGroup {
    /// Group id.
    pub group: u32,
    /// State.
    pub state: AnaState,
    /// Ids of its namespaces.
    pub namespaces: Vec<u32>,
}

/// Decodes the groups of the page.
///
/// # Errors
/// [`DecodeError`] where the page is shorter than its counts say or a state is unknown.
pub fn decode(bytes: &[u8]) -> Result<Vec<AnaGroup>, DecodeError> {
    let page = Page::of_length(PAGE, bytes, 16)?;
    let mut groups = Vec::new();
    let mut offset = 16;
    for _ in 0..page.le16(8)? {
        page.slice(offset, 32)?;
        let count = page.le32(offset + 4)? as usize;
        let state = match page.u8(offset + 16)? & 0xf {
            1 => AnaState::Optimized,
            2 => AnaState::NonOptimized,
            3 => AnaState::Inaccessible,
            4 => AnaState::PersistentLoss,
            15 => AnaState::Change,
            other => {
                return Err(page.impossible(offset + 16, 1, format!("ANA state {other} does not exist")));
            }
        };
        // The ids are checked to be there before anything is allocated for them.
        let ids = page.slice(offset + 32, count.saturating_mul(4))?;
        let namespaces = ids.as_chunks::<4>().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
        groups.push(AnaGroup { group: page.le32(offset)?, state, namespaces });
        offset += 32 + 4 * count;
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::{AnaState, decode};

    #[test]
    fn groups_are_read_and_counts_are_not_trusted() {
        let mut page = vec![0; 16 + 32 + 4];
        page[8] = 1;
        page[16] = 1;
        page[20] = 1;
        page[32] = 2;
        page[48] = 7;
        let groups = decode(&page).unwrap();
        assert_eq!((groups[0].state, groups[0].namespaces.as_slice()), (AnaState::NonOptimized, &[7][..]));
        page[20..24].fill(0xff);
        assert!(decode(&page).is_err());
        page[20..24].copy_from_slice(&[1, 0, 0, 0]);
        page[32] = 9;
        assert!(decode(&page).is_err());
    }
}
