-- What units alike have shown, for units with days of history.
-- Nothing ever wrote the constants that this table was made for: a run's are in fleet.forecast_runs.
DROP TABLE fleet.priors;
CREATE TABLE fleet.priors (
    run_id bigint PRIMARY KEY REFERENCES fleet.forecast_runs ON DELETE CASCADE,
    units bigint NOT NULL CHECK (units >= 0),
    constants jsonb NOT NULL CHECK (jsonb_typeof(constants) = 'object')
);
COMMENT ON TABLE fleet.priors IS 'How units grow by kind, model, customer and territory, fitted at the beginning of a run from histories up to its moment of asking. Tells of customers, so only the service and administrators read it';
COMMENT ON COLUMN fleet.priors.run_id IS 'Of which run';
COMMENT ON COLUMN fleet.priors.units IS 'Histories that it was fitted on';
COMMENT ON COLUMN fleet.priors.constants IS 'What was fitted';
ALTER TABLE fleet.priors ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON fleet.priors FOR SELECT USING ((SELECT fleet.sees_all()));
CREATE POLICY changed ON fleet.priors USING ((SELECT fleet.may_change())) WITH CHECK ((SELECT fleet.may_change()));
GRANT SELECT, INSERT, UPDATE, DELETE ON fleet.priors TO headroom_service, headroom_admin;

ALTER TABLE fleet.forecasts ADD COLUMN pooled jsonb CHECK (jsonb_typeof(pooled) = 'object');
COMMENT ON COLUMN fleet.forecasts.pooled IS 'What was borrowed from units alike, as the model''s constants hold it: shares of the limit a day; NULL where the unit''s own history is long enough, or nothing is alike';
-- Three of four bytes that a run writes are distributions: lz4 takes a fraction of the time of the default.
ALTER TABLE fleet.forecasts ALTER COLUMN passage SET COMPRESSION lz4, ALTER COLUMN fan SET COMPRESSION lz4,
    ALTER COLUMN why SET COMPRESSION lz4;

CREATE FUNCTION fleet.constants_with(constants jsonb, pooled jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN constants <> '{}' THEN constants || jsonb_strip_nulls(jsonb_build_object('pooled', pooled)) END $$;
COMMENT ON FUNCTION fleet.constants_with(jsonb, jsonb) IS 'The constants of a run with what a unit borrows from units alike, as the model takes them; NULL, for those that come with the program, where the run has none';
REVOKE EXECUTE ON FUNCTION fleet.constants_with(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleet.constants_with(jsonb, jsonb)
    TO headroom_service, headroom_admin, headroom_intake, headroom_sales, headroom_customer, headroom_reader;

CREATE OR REPLACE FUNCTION fleet.forecasts_of(unit_id bigint, resource text DEFAULT NULL, as_of timestamptz DEFAULT NULL)
RETURNS SETOF fleet.forecasts
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM fleet.require_unit(unit_id), fleet.require_resource(resource);
    IF as_of IS NULL THEN
        RETURN QUERY
            SELECT f.* FROM fleet.components c
              JOIN fleet.forecasts f USING (component_id)
              JOIN fleet.forecast_runs r ON r.run_id = f.run_id AND r.is_current
             WHERE c.unit_id = forecasts_of.unit_id
               AND f.resource = coalesce(forecasts_of.resource, f.resource);
        RETURN;
    END IF;
    PERFORM fleet.require_instant(as_of, 'as_of');
    -- What the current run answers is asked again, with its constants; before the first run, everything that was reported.
    -- What units alike had shown is taken from the newest run that knew nothing later than this moment.
    RETURN QUERY
        SELECT (jsonb_populate_record(NULL::fleet.forecasts, d.document || jsonb_build_object(
                   'component_id', h.component_id, 'resource', h.resource, 'resource_limit', d.document -> 'limit',
                   'reason_code', d.document #> '{reason,code}', 'reason', d.document #> '{reason,sentence}',
                   'pooled', alike.pooled))).*
          FROM fleet.daily_history(forecasts_of.as_of, ARRAY(
                   SELECT c.component_id FROM fleet.components c WHERE c.unit_id = forecasts_of.unit_id)) h
          LEFT JOIN fleet.forecast_runs r ON r.is_current
          LEFT JOIN LATERAL (
               SELECT f.pooled FROM fleet.forecasts f JOIN fleet.forecast_runs told USING (run_id)
                WHERE f.component_id = h.component_id AND f.resource = h.resource
                  AND told.published_at IS NOT NULL AND told.as_of <= forecasts_of.as_of
                ORDER BY told.as_of DESC, told.run_id DESC LIMIT 1) alike ON true
         CROSS JOIN LATERAL (SELECT headroom.forecast_document(h.at, h.used, h.limits, as_of => forecasts_of.as_of,
                   resource => h.resource, prior => fleet.constants_with(r.constants, alike.pooled)) AS document) d
         WHERE h.resource = coalesce(forecasts_of.resource, h.resource)
           AND (r.run_id IS NULL OR EXISTS (SELECT FROM fleet.forecasts f
                 WHERE f.component_id = h.component_id AND f.resource = h.resource AND f.run_id = r.run_id));
END
$$;

CREATE OR REPLACE FUNCTION fleet.what_if(unit_id bigint, added double precision DEFAULT 0, growth double precision DEFAULT 1,
                              resource text DEFAULT 'capacity', as_of timestamptz DEFAULT NULL)
RETURNS TABLE (component_id bigint, resource text, variant text, state text, p10 timestamptz, p50 timestamptz,
               p90 timestamptz, probability double precision, resource_limit double precision)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH known AS MATERIALIZED (SELECT f.* FROM fleet.forecasts_of($1, $4, $5) f)
    SELECT k.component_id, k.resource, 'as_is', k.state, k.p10, k.p50, k.p90,
           CASE k.state WHEN 'already_exhausted' THEN 1 ELSE (k.passage #>> '{-1,probability}')::double precision END,
           k.resource_limit
      FROM known k
    UNION ALL
    SELECT k.component_id, k.resource, w.variant, w.state, w.p10, w.p50, w.p90, w.probability, w.resource_limit
      FROM known k
      LEFT JOIN fleet.forecast_runs r ON r.is_current
     CROSS JOIN LATERAL fleet.daily_history(k.as_of, ARRAY[k.component_id]) h
     CROSS JOIN LATERAL headroom.what_if(h.at, h.used, $2, $3, h.limits, as_of => k.as_of, resource => k.resource,
                                         prior => fleet.constants_with(r.constants, k.pooled)) w
     WHERE h.resource = k.resource AND w.variant = 'what_if'
     ORDER BY 1, 2, 3
$$;
