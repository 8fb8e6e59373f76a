-- Headroom: a hypertable with a unique key that rises with time, so that new rows enter its index at the right edge
CREATE EXTENSION headroom;
CREATE EXTENSION dblink;
CREATE TABLE status(ts timestamptz NOT NULL, unit_id int8 NOT NULL, used_bytes int8, capacity_bytes int8, read_ops int8, write_ops int8, read_bytes int8, write_bytes int8, busy_pct float4, temperature_c int2, percent_used int2);
CREATE UNIQUE INDEX status_ts_unit ON status(ts, unit_id);
SELECT headroom.create_hypertable('status', 'ts', 'unit_id');
-- CALL with transactions of its own cannot run inside a function's: a second session runs it. VACUUM is left to the driver
-- (`run.py sql headroom SHAPE 'VACUUM ANALYZE status'`): while this function runs, its snapshot keeps every row. Then REINDEX
-- TABLE status: a bulk load leaves its index as large as it was once; a fleet's steady stream uses the pages again.
CREATE FUNCTION bench_seal() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
 PERFORM dblink_connect('bench', format('host=%s port=%s dbname=%I user=%I', coalesce(host(inet_server_addr()), split_part(current_setting('unix_socket_directories'), ',', 1)), current_setting('port'), current_database(), current_user));
 PERFORM dblink_exec('bench', 'CALL headroom.seal_by_slices(''status'', timestamptz ''infinity'')');
 PERFORM dblink_disconnect('bench'); END $$;
CREATE FUNCTION bench_size(OUT total bigint, OUT tables bigint, OUT indexes bigint, OUT toast bigint) LANGUAGE sql AS $$
 SELECT sum(pg_total_relation_size(r))::bigint, sum(pg_relation_size(r))::bigint, sum(pg_indexes_size(r))::bigint, sum(pg_table_size(r) - pg_relation_size(r))::bigint
 FROM unnest(ARRAY['status'::regclass, to_regclass('status_blocks')]) r WHERE r IS NOT NULL $$;
