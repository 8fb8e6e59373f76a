-- ALTER EXTENSION headroom UPDATE TO '0.2.0'
\echo Use "ALTER EXTENSION headroom UPDATE" to run this file. \quit

-- Blocks get the days of their rows and their last rows; those that are there have none.
DO $$
DECLARE
    blocks regclass;
    by_end record;
BEGIN
    FOR blocks IN
        SELECT h.blocks FROM headroom.hypertables h
         WHERE h.blocks IS NOT NULL AND NOT EXISTS (
                   SELECT FROM pg_attribute a WHERE a.attrelid = h.blocks AND a.attname = 'last_row' AND NOT a.attisdropped)
    LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS rollup bytea NOT NULL DEFAULT '''', ADD COLUMN IF NOT EXISTS last_row bytea NOT NULL DEFAULT '''',
                            ALTER COLUMN rollup SET STORAGE EXTERNAL, ALTER COLUMN last_row SET STORAGE EXTERNAL,
                            SET (toast_tuple_target = 8160, autovacuum_vacuum_insert_scale_factor = 0)', blocks);
        FOR by_end IN
            SELECT i.indexrelid::regclass AS name, array_to_string(i.columns, ', ') AS columns
              FROM (SELECT x.indexrelid, x.indnatts, ARRAY(
                           SELECT a.attname || CASE a.attname WHEN 'last_time' THEN ' DESC' ELSE '' END
                             FROM unnest(x.indkey::int2[]) WITH ORDINALITY k (number, place)
                             JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number
                            ORDER BY k.place) AS columns
                      FROM pg_index x WHERE x.indrelid = blocks AND x.indnatts = x.indnkeyatts) i
             WHERE i.columns IN (ARRAY['segment', 'last_time DESC', 'first_time'], ARRAY['last_time DESC', 'first_time'])
        LOOP
            EXECUTE format('CREATE INDEX ON %s (%s) INCLUDE (last_row)', blocks, by_end.columns);
            EXECUTE format('DROP INDEX %s', by_end.name);
        END LOOP;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION headroom.show_blocks(relation regclass, segment text DEFAULT NULL)
    RETURNS TABLE (segment_value text, first_time text, last_time text, row_count integer, block_bytes bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    entry headroom.hypertables;
BEGIN
    SELECT * INTO entry FROM headroom.hypertables h WHERE h.relation = show_blocks.relation;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no hypertable', coalesce(show_blocks.relation::text, 'NULL')
            USING ERRCODE = '42809', HINT = 'SELECT relation FROM headroom.hypertables lists them.';
    END IF;
    IF entry.blocks IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT %1$s, b.first_time::text, b.last_time::text, b.row_count,
                    (pg_column_size(b.directory) + pg_column_size(b.rollup) + pg_column_size(b.last_row) + pg_column_size(b.payload))::bigint
               FROM %2$s b WHERE $1 IS NULL OR %1$s = $1 ORDER BY 1, b.first_time',
            CASE WHEN entry.segment_column IS NULL THEN 'NULL::text' ELSE 'b.segment::text' END, entry.blocks)
            USING show_blocks.segment;
    END IF;
END $$;

-- More commands are watched, some of them before they begin.
DROP EVENT TRIGGER headroom_altered;
CREATE EVENT TRIGGER headroom_altered ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'CREATE TABLE', 'CREATE INDEX', 'CREATE RULE', 'ALTER TYPE',
        'ALTER DOMAIN', 'CREATE PUBLICATION', 'ALTER PUBLICATION')
    EXECUTE FUNCTION headroom.watch_altered();
COMMENT ON EVENT TRIGGER headroom_altered IS 'Refuses what could not be kept over sealed rows, and numbers new columns in the blocks';
CREATE FUNCTION headroom.watch_begun() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'headroom_watch_begun';
COMMENT ON FUNCTION headroom.watch_begun() IS 'For PostgreSQL: refuses what could not be undone to sealed rows. Not to be called.';
CREATE EVENT TRIGGER headroom_begun ON ddl_command_start
    WHEN TAG IN ('CREATE INDEX', 'DROP INDEX', 'DROP EXTENSION', 'DROP SCHEMA')
    EXECUTE FUNCTION headroom.watch_begun();
COMMENT ON EVENT TRIGGER headroom_begun IS 'Refuses what could not be undone to sealed rows: unique keys and the guard CONCURRENTLY, and the end of the extension';
