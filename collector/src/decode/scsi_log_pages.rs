//! The other SCSI log pages: error counters (02h, 03h, 05h), temperature (0Dh), start-stop (0Eh) and utilization
//! (0Eh/01h), endurance (11h), background scan (15h), performance (19h), informational exceptions (2Fh).
//!
//! Offsets: SPC and SBC; checked against sg3_utils `src/sg_logs.c`, live for 0Dh, 11h, 19h and 2Fh.

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{
    DecodeError, Findings,
    scsi_log_sense::{LogPage, Parameter, frame},
};

/// What an error counter page counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Page 02h.
    Write,
    /// Page 03h.
    Read,
    /// Page 05h.
    Verify,
}

/// A decoded log page.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "page", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Log {
    /// 02h, 03h, 05h.
    ErrorCounters {
        /// Which of them.
        direction: Direction,
        /// Parameter 0005h, bytes.
        bytes_processed: Option<u128>,
        /// Parameter 0003h.
        total_corrected: Option<u128>,
        /// Parameter 0006h.
        total_uncorrected: Option<u128>,
    },
    /// 0Dh.
    Temperature {
        /// Parameter 0000h byte 5, °C; `None` where FFh.
        celsius: Option<u8>,
        /// Parameter 0001h byte 5, °C; `None` where FFh or absent.
        reference_celsius: Option<u8>,
    },
    /// 0Eh.
    StartStop {
        /// Parameter 0003h: start-stop cycles it was made for.
        rated_cycles: Option<u128>,
        /// Parameter 0004h: start-stop cycles so far.
        cycles: Option<u128>,
        /// Parameter 0005h: load-unload cycles it was made for.
        rated_load_unload: Option<u128>,
        /// Parameter 0006h: load-unload cycles so far.
        load_unload: Option<u128>,
    },
    /// 0Eh/01h.
    Utilization {
        /// Parameter 0000h bytes 4..6: workload as a share of the rated workload, 1 is the rating; may exceed it.
        workload_of_rating: Option<f64>,
        /// Parameter 0001h byte 4: the same since a date, percent.
        usage_rate_percent: Option<u8>,
    },
    /// 11h.
    SolidStateMedia {
        /// Parameter 0001h byte 7, percent; may exceed 100.
        endurance_used_percent: Option<u8>,
    },
    /// 15h.
    BackgroundScan {
        /// Parameter 0000h bytes 4..8, minutes.
        power_on_minutes: Option<u128>,
    },
    /// 19h.
    Performance {
        /// Parameter 0001h bytes 4..12.
        read_commands: Option<u64>,
        /// Bytes 12..20.
        write_commands: Option<u64>,
        /// Bytes 20..28: blocks received, written by hosts.
        blocks_received: Option<u64>,
        /// Bytes 28..36: blocks transmitted, read by hosts.
        blocks_transmitted: Option<u64>,
        /// Parameter 0002h bytes 4..12 times the interval of parameter 0003h, milliseconds.
        idle_milliseconds: Option<f64>,
    },
    /// 2Fh.
    InformationalExceptions {
        /// Additional sense code, byte 4: 0 nothing to report, 5Dh failure predicted.
        sense_code: Option<u8>,
        /// Its qualifier, byte 5.
        sense_qualifier: Option<u8>,
        /// Byte 6, °C; `None` where FFh.
        celsius: Option<u8>,
    },
    /// A page that has no figure of capacity, load or wear.
    Other {
        /// Page code.
        code: u8,
        /// Subpage code.
        subpage: u8,
    },
}

/// Decodes any of the pages by its own code.
///
/// # Errors
/// [`DecodeError`] where the frame is damaged.
pub fn decode(bytes: &[u8]) -> Result<Log, DecodeError> {
    let page = frame(bytes)?;
    let whole = |code| page.parameter(code).and_then(|parameter| parameter.whole());
    let byte = |code, offset| page.parameter(code).and_then(|parameter| parameter.u8(offset));
    let known = |value: Option<u8>| value.filter(|value| *value != 0xff);
    let counters = |direction| Log::ErrorCounters {
        direction,
        bytes_processed: whole(5),
        total_corrected: whole(3),
        total_uncorrected: whole(6),
    };
    Ok(match (page.code, page.subpage) {
        (0x02, 0) => counters(Direction::Write),
        (0x03, 0) => counters(Direction::Read),
        (0x05, 0) => counters(Direction::Verify),
        (0x0d, 0) => Log::Temperature { celsius: known(byte(0, 5)), reference_celsius: known(byte(1, 5)) },
        (0x0e, 0) => Log::StartStop {
            rated_cycles: whole(3),
            cycles: whole(4),
            rated_load_unload: whole(5),
            load_unload: whole(6),
        },
        (0x0e, 1) => Log::Utilization {
            workload_of_rating: page
                .parameter(0)
                .and_then(|parameter| parameter.integer(4, 2))
                .map(|hundredths| hundredths as f64 / 10_000.0),
            usage_rate_percent: byte(1, 4),
        },
        (0x11, 0) => Log::SolidStateMedia { endurance_used_percent: byte(1, 7) },
        (0x15, 0) => Log::BackgroundScan {
            power_on_minutes: page.parameter(0).and_then(|parameter| parameter.integer(4, 4)),
        },
        (0x19, 0) => performance(&page),
        (0x2f, 0) => Log::InformationalExceptions {
            sense_code: byte(0, 4),
            sense_qualifier: byte(0, 5),
            celsius: known(byte(0, 6)),
        },
        (code, subpage) => Log::Other { code, subpage },
    })
}

fn performance(page: &LogPage<'_>) -> Log {
    let long = |parameter: Option<Parameter<'_>>, offset| {
        parameter.and_then(|p| p.integer(offset, 8)).and_then(|value| u64::try_from(value).ok())
    };
    let (commands, idle, interval) = (page.parameter(1), page.parameter(2), page.parameter(3));
    // The interval is an integer times ten to a negative power, seconds; powers beyond 18 mean nothing.
    let interval_seconds = interval.and_then(|p| {
        let exponent = u32::try_from(p.integer(4, 4)?).ok().filter(|exponent| *exponent <= 18)?;
        Some(p.integer(8, 4)? as f64 / 10_u64.pow(exponent) as f64)
    });
    Log::Performance {
        read_commands: long(commands, 4),
        write_commands: long(commands, 12),
        blocks_received: long(commands, 20),
        blocks_transmitted: long(commands, 28),
        idle_milliseconds: long(idle, 4)
            .zip(interval_seconds)
            .map(|(count, length)| count as f64 * length * 1000.0),
    }
}

impl Log {
    /// The device as core knows it. `block_bytes` turns the blocks of page 19h into bytes.
    pub fn findings(&self, block_bytes: Option<u32>) -> Findings {
        let mut found = Findings::default();
        match self {
            Self::ErrorCounters { direction, bytes_processed, total_uncorrected, .. } => {
                error_counters(&mut found, *direction, *bytes_processed, *total_uncorrected);
            }
            Self::Temperature { celsius, .. } => {
                temperature(&mut found, *celsius, "SCSI log page 0Dh byte 5")
            }
            Self::InformationalExceptions { celsius, .. } => {
                temperature(&mut found, *celsius, "SCSI log page 2Fh byte 6");
            }
            Self::SolidStateMedia { endurance_used_percent } => {
                found.status.endurance_used_percent = endurance_used_percent.map(u16::from);
                match endurance_used_percent {
                    Some(_) => {
                        found.source("endurance_used_percent", "SCSI log page 11h parameter 0001h byte 7")
                    }
                    None => found.absent(
                        "endurance_used_percent",
                        AbsenceReason::NotReported,
                        "SCSI log page 11h has no parameter 0001h",
                    ),
                }
            }
            Self::BackgroundScan { power_on_minutes: Some(minutes) } => {
                let source = "SCSI log page 15h parameter 0000h, minutes / 60";
                found.status.power_on_hours = found.counter("power_on_hours", minutes / 60, source);
            }
            Self::Performance { .. } => self.add_performance(&mut found, block_bytes),
            Self::BackgroundScan { .. }
            | Self::StartStop { .. }
            | Self::Utilization { .. }
            | Self::Other { .. } => {}
        }
        found
    }

    fn add_performance(&self, found: &mut Findings, block_bytes: Option<u32>) {
        let Self::Performance { read_commands, write_commands, blocks_received, blocks_transmitted, .. } =
            self
        else {
            return;
        };
        let source = "SCSI log page 19h parameter 0001h";
        if let (Some(reads), Some(writes)) = (read_commands, write_commands) {
            found.status.read_ops = found.counter("read_ops", (*reads).into(), source);
            found.status.write_ops = found.counter("write_ops", (*writes).into(), source);
        }
        let Some(block) = block_bytes else {
            for field in ["read_bytes", "write_bytes"] {
                let detail = "SCSI log page 19h counts blocks: their size needs READ CAPACITY(16)";
                found.absent(field, AbsenceReason::NotReported, detail);
            }
            return;
        };
        let bytes = |blocks: u64| u128::from(blocks) * u128::from(block);
        if let (Some(received), Some(transmitted)) = (blocks_received, blocks_transmitted) {
            found.status.write_bytes = found.bytes("write_bytes", bytes(*received), source);
            found.status.read_bytes = found.bytes("read_bytes", bytes(*transmitted), source);
        }
    }
}

fn error_counters(
    found: &mut Findings,
    direction: Direction,
    processed: Option<u128>,
    uncorrected: Option<u128>,
) {
    match direction {
        Direction::Write => {
            let source = "SCSI log page 02h parameter 0005h";
            found.status.data_written_bytes =
                processed.and_then(|b| found.counter("data_written_bytes", b, source));
        }
        Direction::Read => {
            let source = "SCSI log page 03h parameter 0005h";
            found.status.data_read_bytes =
                processed.and_then(|b| found.counter("data_read_bytes", b, source));
            // Unrecovered reads are the media errors; failed writes are remapped.
            let source = "SCSI log page 03h parameter 0006h";
            found.status.media_errors = uncorrected.and_then(|n| found.counter("media_errors", n, source));
        }
        Direction::Verify => {}
    }
}

fn temperature(found: &mut Findings, celsius: Option<u8>, source: &str) {
    match celsius {
        Some(celsius) => found.temperature(celsius.into(), source),
        None => found.absent(
            "temperature_celsius",
            AbsenceReason::NotReported,
            format!("{source} is FFh or missing: no sensor"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::{Log, decode};

    #[test]
    fn performance_counts_become_bytes_and_idle_time() {
        let mut page = vec![0x19, 0, 0, 0x5c, 0, 1, 3, 0x40];
        for value in [3_u64, 0x14, 0xa000, 0x18, 0, 0, 0, 0] {
            page.extend(value.to_be_bytes());
        }
        page.extend([0, 2, 3, 8, 0, 0, 0, 0, 0, 0, 4, 0xd2, 0, 3, 3, 8, 0, 0, 0, 3, 0, 0, 0, 50]);
        let log = decode(&page).unwrap();
        let Log::Performance { idle_milliseconds, .. } = &log else { panic!("{log:?}") };
        assert_eq!(*idle_milliseconds, Some(61_700.0));
        let status = log.findings(Some(512)).status;
        assert_eq!((status.read_ops, status.write_ops), (Some(3), Some(20)));
        assert_eq!(status.write_bytes, Some(Bytes(0xa000 * 512)));
        assert_eq!(log.findings(None).status.write_bytes, None);
    }

    #[test]
    fn a_missing_sensor_is_not_255_degrees() {
        let found = decode(&[0x0d, 0, 0, 6, 0, 0, 3, 2, 0, 0xff]).unwrap().findings(None);
        assert_eq!(found.status.temperature_celsius, None);
        assert_eq!(found.missing.len(), 1);
    }

    #[test]
    fn error_counters_of_any_length_are_read() {
        let page = [0x03, 0, 0, 17, 0, 5, 3, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6, 3, 1, 4];
        let status = decode(&page).unwrap().findings(None).status;
        assert_eq!((status.data_read_bytes, status.media_errors), (Some(65_536), Some(4)));
    }

    #[test]
    fn utilization_is_a_share_of_the_rating() {
        let page = [0x4e, 1, 0, 12, 0, 0, 3, 4, 0x2e, 0xe0, 0, 0, 0, 1, 3, 0];
        assert!(
            matches!(decode(&page).unwrap(), Log::Utilization { workload_of_rating: Some(share), .. } if share == 1.2)
        );
    }

    #[test]
    fn endurance_may_exceed_its_rating_and_minutes_become_hours() {
        let wear = decode(&[0x11, 0, 0, 8, 0, 1, 3, 4, 0, 0, 0, 130]).unwrap().findings(None);
        assert_eq!(wear.status.endurance_used_percent, Some(130));
        let scan = decode(&[0x15, 0, 0, 12, 0, 0, 3, 8, 0, 0, 1, 0x2c, 0, 0, 0, 0]).unwrap().findings(None);
        assert_eq!(scan.status.power_on_hours, Some(5));
    }
}
