//! How much space a hypertable takes, and where its sealed rows are.

use pgrx::prelude::*;

extension_sql!(
    r#"
CREATE FUNCTION headroom.hypertable_detailed_size(relation regclass)
    RETURNS TABLE (table_bytes bigint, index_bytes bigint, toast_bytes bigint, total_bytes bigint)
    LANGUAGE sql VOLATILE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(pg_relation_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint,
           sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0))::bigint, sum(pg_total_relation_size(c.oid))::bigint
      FROM headroom.hypertables h
     CROSS JOIN LATERAL unnest(ARRAY[h.relation, h.blocks]) AS part
      JOIN pg_class c ON c.oid = part
     WHERE h.relation = $1
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION headroom.hypertable_detailed_size(regclass) IS
'Bytes on disk of a hypertable: rows, indexes and oversized values of its row store and of its blocks together; no row for what is no hypertable';
CREATE FUNCTION headroom.hypertable_size(relation regclass) RETURNS bigint
    LANGUAGE sql VOLATILE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.total_bytes FROM headroom.hypertable_detailed_size($1) s
$$;
COMMENT ON FUNCTION headroom.hypertable_size(regclass) IS 'Bytes on disk of a hypertable, blocks and indexes included; NULL for what is no hypertable';
CREATE FUNCTION headroom.show_blocks(relation regclass, segment text DEFAULT NULL)
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
COMMENT ON FUNCTION headroom.show_blocks(regclass, text) IS
'The blocks of a hypertable, for its owner: segment, first and last time, rows, bytes; of one segment or all';
"#,
    name = "size",
    requires = ["hypertables"]
);
