//! The ring that the kernel and the handler share: struct tcmu_mailbox and tcmu_cmd_entry of
//! linux/target_core_user.h.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::pages::Answer;

// Offsets in the mailbox.
const RING_OFFSET: usize = 4;
const RING_SIZE: usize = 8;
const HEAD: usize = 12;
/// The tail has a cache line of its own.
const TAIL: usize = 64;
// Offsets in an entry. The header is packed: length and operation, id, two flag bytes.
const USER_FLAGS: usize = 7;
const VECTOR_COUNT: usize = 8;
const COMMAND_OFFSET: usize = 24;
const VECTORS: usize = 48;
const SCSI_STATUS: usize = 8;
const READ_LENGTH: usize = 12;
const SENSE: usize = 16;
const SENSE_LENGTH: usize = 96;
/// Operation of an entry: 0 padding, 1 a command. The low three bits of the length.
const OPERATION: u32 = 7;
const IS_COMMAND: u32 = 1;
/// `TCMU_UFLAG_UNKNOWN_OP`, `TCMU_UFLAG_READ_LEN`.
const UNKNOWN_OPERATION: u8 = 1;
const HAS_READ_LENGTH: u8 = 2;
/// `TCMU_MAILBOX_FLAG_CAP_READ_LEN`.
const CAN_READ_LENGTH: u32 = 1 << 1;

// The C library that the standard library links anyway.
unsafe extern "C" {
    fn mmap(address: *mut u8, length: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut u8;
}

/// The shared memory.
pub(crate) struct Ring {
    start: *mut u8,
    size: usize,
}

/// One command of the initiator.
pub(crate) struct Command {
    entry: usize,
    length: usize,
    /// Command descriptor block; 16 bytes of it.
    pub(crate) descriptor: [u8; 16],
    /// What came with it, at most 4,096 bytes: only UNMAP is looked at.
    pub(crate) data: Vec<u8>,
}

impl Ring {
    /// Maps the device's memory.
    pub(crate) fn map(device: &File, size: usize) -> io::Result<Self> {
        // SAFETY: a new mapping of an open file; nothing else in this process knows the memory. 3 is read and write, 1
        // is shared.
        let start = unsafe { mmap(std::ptr::null_mut(), size, 3, 1, device.as_raw_fd(), 0) };
        if start.addr() == usize::MAX { Err(io::Error::last_os_error()) } else { Ok(Self { start, size }) }
    }

    fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.size), "outside of the ring");
        // SAFETY: inside the mapping, which lives as long as this; the kernel writes an entry before it moves the head
        // and not again until it is completed.
        unsafe { std::slice::from_raw_parts(self.start.add(offset), length) }
    }

    fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.size), "outside of the ring");
        // SAFETY: as above, and `self` is borrowed as a whole.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), length) }
    }

    fn u32(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(*self.bytes(offset, 4).first_chunk().expect("four bytes were asked for"))
    }

    fn u64(&self, offset: usize) -> usize {
        let bytes = *self.bytes(offset, 8).first_chunk().expect("eight bytes were asked for");
        u64::from_ne_bytes(bytes) as usize
    }

    fn position(&self, offset: usize) -> &AtomicU32 {
        assert!(offset + 4 <= self.size, "outside of the ring");
        // SAFETY: inside the mapping and aligned to four bytes, as all words of the mailbox are.
        unsafe { &*self.start.add(offset).cast::<AtomicU32>() }
    }

    fn advance(&self, length: usize) {
        let tail = self.position(TAIL).load(Ordering::Relaxed) + length as u32;
        self.position(TAIL).store(tail % self.u32(RING_SIZE), Ordering::Release);
    }

    /// The next command that waits.
    pub(crate) fn next_command(&mut self) -> Option<Command> {
        loop {
            let tail = self.position(TAIL).load(Ordering::Relaxed);
            if tail == self.position(HEAD).load(Ordering::Acquire) {
                return None;
            }
            let entry = self.u32(RING_OFFSET) as usize + tail as usize;
            let word = self.u32(entry);
            let length = (word & !OPERATION) as usize;
            match word & OPERATION {
                IS_COMMAND => return Some(self.command(entry, length)),
                0 => {}
                _ => self.bytes_mut(entry + USER_FLAGS, 1)[0] |= UNKNOWN_OPERATION,
            }
            self.advance(length);
        }
    }

    fn command(&self, entry: usize, length: usize) -> Command {
        let at = self.u64(entry + COMMAND_OFFSET);
        let descriptor = *self.bytes(at, 16).first_chunk().expect("16 bytes were asked for");
        let mut data = Vec::new();
        for (start, part) in self.vectors(entry) {
            let wanted = part.min(4_096 - data.len());
            data.extend_from_slice(self.bytes(start, wanted));
        }
        Command { entry, length, descriptor, data }
    }

    fn vectors(&self, entry: usize) -> Vec<(usize, usize)> {
        let count = self.u32(entry + VECTOR_COUNT) as usize;
        let vector = |index: usize| {
            let at = entry + VECTORS + 16 * index;
            (self.u64(at), self.u64(at + 8))
        };
        (0..count).map(vector).collect()
    }

    /// Answers a command and gives its place back.
    pub(crate) fn complete(&mut self, command: &Command, answer: &Answer) {
        let vectors = self.vectors(command.entry);
        let can_tell_length = self.u32(0) >> 16 & CAN_READ_LENGTH != 0;
        let mut rest: &[u8] = if answer.sense.is_some() { &[] } else { &answer.data };
        let told = rest.len() as u32;
        for (start, length) in vectors {
            let (now, later) = rest.split_at(rest.len().min(length));
            self.bytes_mut(start, now.len()).copy_from_slice(now);
            rest = later;
        }
        // The response lies over the request.
        self.bytes_mut(command.entry + SCSI_STATUS, SENSE - SCSI_STATUS + SENSE_LENGTH).fill(0);
        if let Some((key, code, qualifier)) = answer.sense {
            self.bytes_mut(command.entry + SCSI_STATUS, 1)[0] = 2;
            let sense = self.bytes_mut(command.entry + SENSE, 18);
            (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, code, qualifier);
        } else if told > 0 && can_tell_length {
            self.bytes_mut(command.entry + USER_FLAGS, 1)[0] |= HAS_READ_LENGTH;
            self.bytes_mut(command.entry + READ_LENGTH, 4).copy_from_slice(&told.to_ne_bytes());
        }
        self.advance(command.length);
    }
}
