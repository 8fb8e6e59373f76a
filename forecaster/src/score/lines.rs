//! The line of a file on which a record begins, as an editor counts it: the CSV reader counts neither the empty lines before
//! a record nor line breaks of two bytes as one.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Notes where the lines begin that pass through, empty ones left out.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// Byte and number of lines that were read and not yet forgotten.
    begun: VecDeque<(u64, u64)>,
    byte: u64,
    line: u64,
    /// The byte before.
    before: u8,
    /// Whether nothing of this line has been seen but its beginning.
    at_start: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn of(input: R) -> Self {
        Self { input, begun: VecDeque::new(), byte: 0, line: 1, before: 0, at_start: true }
    }

    /// The number, from 1, of the first line with anything in it that begins at this byte or after it. Those before are
    /// forgotten, so bytes must rise from call to call.
    pub(super) fn line_at(&mut self, byte: u64) -> u64 {
        while self.begun.front().is_some_and(|(begin, _)| *begin < byte) {
            self.begun.pop_front();
        }
        self.begun.front().map_or(self.line, |(_, line)| *line)
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match *byte {
                b'\n' if self.before == b'\r' => {}
                b'\n' | b'\r' => {
                    self.line += 1;
                    self.at_start = true;
                }
                _ if self.at_start => {
                    self.begun.push_back((self.byte, self.line));
                    self.at_start = false;
                }
                _ => {}
            }
            self.before = *byte;
            self.byte += 1;
        }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.note(&buffer[..read]);
        Ok(read)
    }
}
