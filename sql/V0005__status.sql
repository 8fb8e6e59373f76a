-- The status series: one row a component and moment.
CREATE TABLE fleet.status (
    component_id bigint NOT NULL,
    at timestamptz NOT NULL,
    boot uuid,
    capacity_bytes bigint,
    used_bytes bigint,
    used_source text,
    inodes_total bigint,
    inodes_used bigint,
    metadata_capacity_bytes bigint,
    metadata_used_bytes bigint,
    read_ops bigint,
    write_ops bigint,
    read_bytes bigint,
    write_bytes bigint,
    busy_milliseconds bigint,
    queue_milliseconds bigint,
    utilisation double precision,
    queue_depth double precision,
    temperature_celsius smallint,
    endurance_used_percent smallint,
    spare_percent smallint,
    data_read_bytes bigint,
    data_written_bytes bigint,
    power_on_hours bigint,
    media_errors bigint,
    critical_warning smallint,
    CONSTRAINT status_key UNIQUE (component_id, at),
    CONSTRAINT at_is_finite CHECK (isfinite(at) AND at >= timestamptz '1990-01-01 00:00:00+00'),
    CONSTRAINT nothing_is_negative CHECK (
        least(capacity_bytes, used_bytes, inodes_total, inodes_used, metadata_capacity_bytes, metadata_used_bytes,
              read_ops, write_ops, read_bytes, write_bytes, busy_milliseconds, queue_milliseconds, data_read_bytes,
              data_written_bytes, power_on_hours, media_errors) >= 0),
    CONSTRAINT utilisation_is_a_ratio CHECK (utilisation BETWEEN 0 AND 1),
    CONSTRAINT queue_depth_is_finite CHECK (queue_depth >= 0 AND queue_depth < 'infinity'),
    CONSTRAINT percentages_are_believable CHECK (
        endurance_used_percent BETWEEN 0 AND 255 AND spare_percent BETWEEN 0 AND 100),
    CONSTRAINT temperature_is_believable CHECK (temperature_celsius BETWEEN -100 AND 300),
    CONSTRAINT critical_warning_is_a_byte CHECK (critical_warning BETWEEN 0 AND 255),
    CONSTRAINT used_source_is_known CHECK (
        used_source IN ('file_system', 'lvm', 'zfs', 'array_pool', 'scsi_log_page0c', 'nvme_nuse'))
);
COMMENT ON TABLE fleet.status IS 'Status series. A column that is NULL was not reported; missing is not zero. No foreign key: PostgreSQL would check it against unsealed rows alone; fleet.erase_unit removes what belongs to a unit';
COMMENT ON COLUMN fleet.status.component_id IS 'Which component';
COMMENT ON COLUMN fleet.status.at IS 'When it was measured, by the node''s clock';
COMMENT ON COLUMN fleet.status.boot IS 'The boot in which it was measured: counters are comparable only inside one';
COMMENT ON COLUMN fleet.status.capacity_bytes IS 'Usable size, bytes';
COMMENT ON COLUMN fleet.status.used_bytes IS 'Spent capacity, bytes';
COMMENT ON COLUMN fleet.status.used_source IS 'Where the spent capacity comes from';
COMMENT ON COLUMN fleet.status.inodes_total IS 'Inodes in all';
COMMENT ON COLUMN fleet.status.inodes_used IS 'Inodes in use';
COMMENT ON COLUMN fleet.status.metadata_capacity_bytes IS 'Metadata space of a thin pool, bytes';
COMMENT ON COLUMN fleet.status.metadata_used_bytes IS 'Metadata space in use, bytes';
COMMENT ON COLUMN fleet.status.read_ops IS 'Read operations, counter';
COMMENT ON COLUMN fleet.status.write_ops IS 'Write operations, counter';
COMMENT ON COLUMN fleet.status.read_bytes IS 'Bytes read, counter';
COMMENT ON COLUMN fleet.status.write_bytes IS 'Bytes written, counter';
COMMENT ON COLUMN fleet.status.busy_milliseconds IS 'Milliseconds with a request outstanding, counter';
COMMENT ON COLUMN fleet.status.queue_milliseconds IS 'Sum over requests of milliseconds outstanding, counter';
COMMENT ON COLUMN fleet.status.utilisation IS 'Share of the time since the previous sample in which it was busy, 0…1';
COMMENT ON COLUMN fleet.status.queue_depth IS 'Mean number of outstanding requests since the previous sample';
COMMENT ON COLUMN fleet.status.temperature_celsius IS 'Temperature, degrees Celsius';
COMMENT ON COLUMN fleet.status.endurance_used_percent IS 'Endurance used by the device''s own estimate, percent; may exceed 100';
COMMENT ON COLUMN fleet.status.spare_percent IS 'Spare left, percent';
COMMENT ON COLUMN fleet.status.data_read_bytes IS 'Bytes read over its life';
COMMENT ON COLUMN fleet.status.data_written_bytes IS 'Bytes written over its life';
COMMENT ON COLUMN fleet.status.power_on_hours IS 'Hours powered on';
COMMENT ON COLUMN fleet.status.media_errors IS 'Unrecovered media errors over its life';
COMMENT ON COLUMN fleet.status.critical_warning IS 'The device''s own warning bits';

SELECT headroom.create_hypertable('fleet.status', 'at', 'component_id');
