//! A temporary file of rows: written once, read once, and there until it is closed, whatever becomes of the transaction.

use pgrx::pg_sys;

use crate::server::{
    error::{Error, Kind, Result},
    memory,
};

/// Which version of which row: a place alone may have been given to another row meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) page: u32,
    pub(super) line: u16,
    /// The transaction that wrote it.
    pub(super) writer: u32,
}

/// Before each row: page, line, writer and length, four bytes each.
const HEAD: usize = 16;

/// A temporary file of rows.
pub(super) struct Tape {
    file: *mut pg_sys::BufFile,
}

impl Tape {
    /// An empty one.
    pub(super) fn new() -> Self {
        // SAFETY: the file outlives the transaction, so its buffer has to; `drop` closes it.
        unsafe {
            let before = memory::enter(pg_sys::TopMemoryContext);
            let file = pg_sys::BufFileCreateTemp(true);
            memory::enter(before);
            Self { file }
        }
    }

    /// Appends a row.
    ///
    /// # Safety
    /// The tuple is one of the server's, without parts that are stored elsewhere.
    pub(super) unsafe fn write(&mut self, version: Version, tuple: pg_sys::HeapTuple) {
        let mut head = [0_u8; HEAD];
        // SAFETY: the tuple is as long as it says.
        unsafe {
            let length = (*tuple).t_len;
            for (at, number) in
                [version.page, version.line.into(), version.writer, length].into_iter().enumerate()
            {
                head[4 * at..4 * at + 4].copy_from_slice(&number.to_ne_bytes());
            }
            pg_sys::BufFileWrite(self.file, head.as_mut_ptr().cast(), HEAD);
            pg_sys::BufFileWrite(self.file, (*tuple).t_data.cast(), length as usize);
        }
    }

    /// Goes to the first row.
    pub(super) fn rewind(&mut self) -> Result<()> {
        // SAFETY: the file is open.
        match unsafe { pg_sys::BufFileSeek(self.file, 0, 0, 0) } {
            0 => Ok(()),
            _ => Err(Error::new(Kind::Internal, "a temporary file cannot be read from its beginning")),
        }
    }

    /// The next row. The tuple is good until the buffer is used again.
    pub(super) fn read(&mut self, buffer: &mut Vec<u64>) -> Result<Option<(Version, pg_sys::HeapTupleData)>> {
        let mut head = [0_u8; HEAD];
        let short = || Error::new(Kind::Internal, "a temporary file of rows ends within a row");
        // SAFETY: the file is open; the memory is as long as what is read into it.
        unsafe {
            match pg_sys::BufFileRead(self.file, head.as_mut_ptr().cast(), HEAD) {
                0 => return Ok(None),
                HEAD => {}
                _ => return Err(short()),
            }
            let number = |at: usize| {
                u32::from_ne_bytes([head[4 * at], head[4 * at + 1], head[4 * at + 2], head[4 * at + 3]])
            };
            let length = number(3) as usize;
            buffer.resize(length.div_ceil(8), 0);
            if pg_sys::BufFileRead(self.file, buffer.as_mut_ptr().cast(), length) != length {
                return Err(short());
            }
            let version = Version { page: number(0), line: number(1) as u16, writer: number(2) };
            let tuple = pg_sys::HeapTupleData {
                t_len: length as u32,
                t_data: buffer.as_mut_ptr().cast(),
                ..Default::default()
            };
            Ok(Some((version, tuple)))
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // SAFETY: opened by `new`, closed once.
        unsafe { pg_sys::BufFileClose(self.file) };
    }
}
