//! What the unit answers: 64 MiB of blocks that a pool of 48 MiB stands behind, in threshold sets of 1 MiB.

use crate::ring::Command;

const BLOCK_BYTES: u32 = 512;
const BLOCKS: u64 = 131_072;
const SET_BLOCKS: u64 = 2_048;
const SET_EXPONENT: u8 = 11;
const SETS: usize = (BLOCKS / SET_BLOCKS) as usize;
const POOL_SETS: usize = 48;
const ENDURANCE_PERCENT: u8 = 17;
const CELSIUS: u8 = 31;

/// Sense key, code, qualifier.
pub(crate) type Sense = (u8, u8, u8);
const INVALID_OPERATION: Sense = (5, 0x20, 0);
const INVALID_FIELD: Sense = (5, 0x24, 0);
/// Data protect, space allocation failed write protect.
const OUT_OF_SPACE: Sense = (7, 0x27, 7);

/// An answer: data, or sense data.
#[derive(Default)]
pub(crate) struct Answer {
    /// What the initiator gets.
    pub(crate) data: Vec<u8>,
    /// Why it gets nothing.
    pub(crate) sense: Option<Sense>,
}

/// The unit.
pub(crate) struct Unit {
    mapped: [bool; SETS],
    reads: u64,
    writes: u64,
    read_blocks: u64,
    written_blocks: u64,
}

impl Default for Unit {
    fn default() -> Self {
        Self { mapped: [false; SETS], reads: 0, writes: 0, read_blocks: 0, written_blocks: 0 }
    }
}

fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl Unit {
    fn used(&self) -> usize {
        self.mapped.iter().filter(|mapped| **mapped).count()
    }

    /// Answers one command.
    pub(crate) fn answer(&mut self, command: &Command) -> Answer {
        let descriptor = &command.descriptor;
        let short = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
        let told = match descriptor[0] {
            // TEST UNIT READY, START STOP, SYNCHRONIZE CACHE.
            0x00 | 0x1b | 0x35 | 0x91 => Ok(Vec::new()),
            0x03 => Ok(vec![0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            0x12 => cut(inquiry(descriptor), short(be(&descriptor[3..5]))),
            0x25 => Ok([(BLOCKS as u32 - 1).to_be_bytes(), BLOCK_BYTES.to_be_bytes()].concat()),
            0x9e if descriptor[1] & 0x1f == 0x10 => cut(Ok(capacity()), short(be(&descriptor[10..14]))),
            // MODE SENSE without a page.
            0x1a => cut(Ok(vec![3, 0, 0, 0]), descriptor[4].into()),
            0x5a => cut(Ok(vec![0, 6, 0, 0, 0, 0, 0, 0]), short(be(&descriptor[7..9]))),
            0x28 => Ok(self.read(be(&descriptor[7..9]))),
            0x88 => Ok(self.read(be(&descriptor[10..14]))),
            0x2a => self.write(be(&descriptor[2..6]), be(&descriptor[7..9])),
            0x8a => self.write(be(&descriptor[2..10]), be(&descriptor[10..14])),
            0x42 => Ok(self.unmap(&command.data)),
            0x93 => Ok(self.write_same(descriptor)),
            0x4d => cut(self.log(descriptor[2] & 0x3f, descriptor[3]), short(be(&descriptor[7..9]))),
            _ => Err(INVALID_OPERATION),
        };
        match told {
            Ok(data) => Answer { data, sense: None },
            Err(sense) => Answer { data: Vec::new(), sense: Some(sense) },
        }
    }

    fn read(&mut self, blocks: u64) -> Vec<u8> {
        self.reads += 1;
        self.read_blocks += blocks;
        vec![0; (blocks * u64::from(BLOCK_BYTES)) as usize]
    }

    fn write(&mut self, first: u64, blocks: u64) -> Result<Vec<u8>, Sense> {
        self.writes += 1;
        self.written_blocks += blocks;
        for set in first / SET_BLOCKS..(first + blocks).div_ceil(SET_BLOCKS) {
            let used = self.used();
            let mapped = self.mapped.get_mut(set as usize).ok_or((5, 0x21, 0))?;
            if !*mapped && used >= POOL_SETS {
                return Err(OUT_OF_SPACE);
            }
            *mapped = true;
        }
        Ok(Vec::new())
    }

    /// Frees the sets that lie wholly in a range.
    fn free(&mut self, first: u64, blocks: u64) {
        for set in first.div_ceil(SET_BLOCKS)..(first + blocks) / SET_BLOCKS {
            if let Some(mapped) = self.mapped.get_mut(set as usize) {
                *mapped = false;
            }
        }
    }

    fn unmap(&mut self, data: &[u8]) -> Vec<u8> {
        let listed = data.get(2..4).map_or(0, |length| be(length) as usize);
        let ranges = data.get(8..(8 + listed).min(data.len())).unwrap_or(&[]);
        for range in ranges.chunks_exact(16) {
            self.free(be(&range[..8]), be(&range[8..12]));
        }
        Vec::new()
    }

    fn write_same(&mut self, descriptor: &[u8; 16]) -> Vec<u8> {
        if descriptor[1] & 8 != 0 {
            self.free(be(&descriptor[2..10]), be(&descriptor[10..14]));
        }
        Vec::new()
    }

    fn log(&self, page: u8, subpage: u8) -> Result<Vec<u8>, Sense> {
        let (used, left) = (self.used() as u32, (POOL_SETS - self.used()) as u32);
        let parameters = match (page, subpage) {
            (0x00, 0) => vec![0x00, 0x0c, 0x0d, 0x11, 0x19, 0x2f],
            (0x0c, 0) => [
                parameter(1, &[&left.to_be_bytes()[..], &[2, 0, 0, 0]].concat()),
                parameter(2, &[&used.to_be_bytes()[..], &[1, 0, 0, 0]].concat()),
                parameter(3, &[0, (left as usize * 100 / POOL_SETS) as u8, 2, 0]),
            ]
            .concat(),
            (0x0d, 0) => [parameter(0, &[0, CELSIUS]), parameter(1, &[0, 0x41])].concat(),
            (0x11, 0) => parameter(1, &[0, 0, 0, ENDURANCE_PERCENT]),
            (0x19, 0) => {
                let mut counts = Vec::new();
                for count in [self.reads, self.writes, self.written_blocks, self.read_blocks, 0, 0, 0, 0] {
                    counts.extend(count.to_be_bytes());
                }
                let interval = [3_u32.to_be_bytes(), 50_u32.to_be_bytes()].concat();
                [parameter(1, &counts), parameter(2, &1_234_u64.to_be_bytes()), parameter(3, &interval)]
                    .concat()
            }
            (0x2f, 0) => parameter(0, &[0, 0, CELSIUS, 0]),
            _ => return Err(INVALID_FIELD),
        };
        let length = parameters.len() as u16;
        Ok([&[page, subpage][..], &length.to_be_bytes(), &parameters].concat())
    }
}

fn parameter(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &[3, value.len() as u8], value].concat()
}

fn cut(page: Result<Vec<u8>, Sense>, length: usize) -> Result<Vec<u8>, Sense> {
    let mut page = page?;
    page.truncate(length);
    Ok(page)
}

fn inquiry(descriptor: &[u8; 16]) -> Result<Vec<u8>, Sense> {
    if descriptor[1] & 1 == 0 {
        let mut page = vec![0, 0, 7, 2, 91, 0, 0, 2];
        page.extend(b"HEADROOMTHIN LUN        0001");
        page.resize(96, 0);
        return Ok(page);
    }
    let (code, body) = (
        descriptor[2],
        match descriptor[2] {
            0x00 => vec![0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2],
            0x80 => b"HDRMTHIN".to_vec(),
            0x83 => vec![1, 3, 0, 8, 0x60, 0x01, 0x40, 0x5a, 0xde, 0xad, 0xbe, 0xef],
            0xb0 => {
                let mut limits = vec![0; 60];
                limits[16..20].copy_from_slice(&(BLOCKS as u32).to_be_bytes());
                limits[20..24].copy_from_slice(&16_u32.to_be_bytes());
                limits[24..28].copy_from_slice(&(SET_BLOCKS as u32).to_be_bytes());
                limits
            }
            0xb1 => {
                let mut characteristics = vec![0; 60];
                characteristics[1] = 1;
                characteristics
            }
            0xb2 => vec![SET_EXPONENT, 0xe4, 2, 0],
            _ => return Err(INVALID_FIELD),
        },
    );
    Ok([&[0, code][..], &(body.len() as u16).to_be_bytes(), &body].concat())
}

fn capacity() -> Vec<u8> {
    let mut page = vec![0; 32];
    page[..8].copy_from_slice(&(BLOCKS - 1).to_be_bytes());
    page[8..12].copy_from_slice(&BLOCK_BYTES.to_be_bytes());
    page[14] = 0xc0;
    page
}
