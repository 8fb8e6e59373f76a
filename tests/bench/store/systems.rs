//! The systems that are compared: a heap without an index as the limit, plain partitions with a key, a hypertable, and
//! TimescaleDB where it is installed.

use std::path::Path;

/// A system: how its table is made, what makes it small, and how its size is asked.
pub(crate) struct System {
    /// Name in the table.
    pub(crate) name: &'static str,
    /// Makes the table `status`.
    pub(crate) make: String,
    /// What is done once everything is in, a statement at a time.
    pub(crate) finish: &'static [&'static str],
    /// Bytes on disk.
    pub(crate) size: &'static str,
    /// Whether a unit's rows are found without reading everything. Where they are not, [`LATEST`] would read the table once
    /// for each unit: it is not asked.
    pub(crate) finds_units: bool,
}

const COLUMNS: &str = "ts timestamptz NOT NULL, unit_id int8 NOT NULL, used_bytes int8, capacity_bytes int8, read_ops int8,
    write_ops int8, read_bytes int8, write_bytes int8, busy_pct float4, temperature_c int2, percent_used int2";

/// Whether this installation of PostgreSQL has TimescaleDB.
pub(crate) fn has_timescaledb(libraries: &Path) -> bool {
    libraries.join("timescaledb.so").exists()
}

/// All of them, the limit first.
pub(crate) fn all(with_timescaledb: bool) -> Vec<System> {
    let mut systems = vec![
        System {
            name: "heap without index",
            make: format!("CREATE TABLE status ({COLUMNS})"),
            finish: &["VACUUM (ANALYZE) status"],
            size: "SELECT pg_total_relation_size('status')::float8",
            finds_units: false,
        },
        System {
            name: "weekly partitions",
            make: format!(
                "CREATE TABLE status ({COLUMNS}) PARTITION BY RANGE (ts);
                 DO $$ BEGIN FOR week IN 0..13 LOOP EXECUTE format('CREATE TABLE status_%s PARTITION OF status FOR VALUES FROM (%L) TO (%L)',
                   week, timestamptz '2026-01-01 00:00+00' + week * interval '7 days', timestamptz '2026-01-08 00:00+00' + week * interval '7 days'); END LOOP; END $$;
                 CREATE UNIQUE INDEX ON status (unit_id, ts)"
            ),
            finish: &["VACUUM (ANALYZE) status"],
            size: "SELECT sum(pg_total_relation_size(relid))::float8 FROM pg_partition_tree('status')",
            finds_units: true,
        },
        System {
            name: "headroom",
            make: format!(
                "CREATE TABLE status ({COLUMNS}); CREATE UNIQUE INDEX ON status (ts, unit_id);
                 SELECT headroom.create_hypertable('status', 'ts', 'unit_id')"
            ),
            finish: &[
                "CALL headroom.seal_by_slices('status', timestamptz '2100-01-01 00:00+00')",
                "VACUUM (ANALYZE) status",
                "REINDEX TABLE status",
            ],
            size: "SELECT headroom.hypertable_size('status')::float8",
            finds_units: true,
        },
    ];
    if with_timescaledb {
        systems.push(System {
            name: "timescaledb",
            make: format!(
                "CREATE EXTENSION timescaledb; CREATE TABLE status ({COLUMNS});
                 SELECT create_hypertable('status', by_range('ts', interval '7 days'), create_default_indexes => false);
                 CREATE UNIQUE INDEX ON status (unit_id, ts DESC);
                 ALTER TABLE status SET (timescaledb.compress, timescaledb.compress_segmentby = 'unit_id', timescaledb.compress_orderby = 'ts DESC')"
            ),
            finish: &[
                "SELECT count(compress_chunk(c, true)) FROM show_chunks('status') c",
                "VACUUM (ANALYZE) status",
            ],
            size: "SELECT hypertable_size('status')::float8",
            finds_units: true,
        });
    }
    systems
}

/// The name of the query that asks for the newest row of every unit.
pub(crate) const LATEST: &str = "latest of every unit";

/// The queries of the workload, by name; `{end}` is the end of the series.
pub(crate) const QUERIES: [(&str, &str); 7] = [
    (
        LATEST,
        "SELECT u.unit_id, s.* FROM units u CROSS JOIN LATERAL (SELECT ts, used_bytes, capacity_bytes FROM status s WHERE s.unit_id = u.unit_id ORDER BY ts DESC LIMIT 1) s",
    ),
    (
        "one unit, 30 days",
        "SELECT ts, used_bytes, capacity_bytes, busy_pct FROM status WHERE unit_id = 77 AND ts >= timestamptz '{end}' - interval '30 days' ORDER BY ts",
    ),
    (
        "one unit, daily",
        "SELECT date_bin('1 day', ts, '2026-01-01 00:00+00') AS day, avg(used_bytes), max(used_bytes), max(busy_pct) FROM status WHERE unit_id = 77 GROUP BY 1 ORDER BY 1",
    ),
    (
        "fleet, daily maximum",
        "SELECT unit_id, date_bin('1 day', ts, '2026-01-01 00:00+00') AS day, max(used_bytes) FROM status GROUP BY 1, 2",
    ),
    (
        "fleet, exhaustion",
        "SELECT unit_id, headroom.exhaustion(ts, used_bytes, capacity_bytes) FROM status WHERE unit_id <= 100 GROUP BY 1",
    ),
    (
        "fleet, regression of 30 days",
        "SELECT unit_id, regr_slope(used_bytes, date_part('epoch', ts)) FROM status WHERE ts >= timestamptz '{end}' - interval '30 days' GROUP BY 1",
    ),
    ("scan", "SELECT sum(used_bytes), max(busy_pct), count(*) FROM status"),
];
