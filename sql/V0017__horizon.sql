-- How far a run looks, with the run: what SQL asks anew looks as far.
ALTER TABLE fleet.forecast_runs ADD COLUMN horizon_days integer NOT NULL DEFAULT 1096 CHECK (horizon_days BETWEEN 1 AND 1096);
COMMENT ON COLUMN fleet.forecast_runs.horizon_days IS 'How far it looks ahead, days';

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
                   resource => h.resource, horizon_days => r.horizon_days,
                   prior => fleet.constants_with(r.constants, alike.pooled)) AS document) d
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
                                         horizon_days => r.horizon_days, prior => fleet.constants_with(r.constants, k.pooled)) w
     WHERE h.resource = k.resource AND w.variant = 'what_if'
     ORDER BY 1, 2, 3
$$;

-- Coverage as the public scorer counts it: what was not reached, or is said not to be, lies a day beyond what is known.
CREATE OR REPLACE FUNCTION fleet.accuracy(unit_id bigint DEFAULT NULL)
RETURNS TABLE (judged bigint, coverage80 double precision, too_early double precision, too_late double precision,
               median_error double precision, skill double precision)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF accuracy.unit_id IS NOT NULL THEN
        PERFORM fleet.require_unit(accuracy.unit_id);
    END IF;
    RETURN QUERY
        WITH judged AS (
            -- A day beyond what is known stands for whatever came later, or is said to come later.
            SELECT b.*, extract(epoch FROM b.judged_until - b.origin) / 86400 + 1 AS beyond
              FROM fleet.backtests b JOIN fleet.components c USING (component_id)
             WHERE accuracy.unit_id IS NULL OR c.unit_id = accuracy.unit_id),
        days AS (
            SELECT coalesce(true_days, beyond)::double precision AS truth, true_days IS NULL AS censored,
                   least(CASE WHEN p10_days <= beyond - 1 THEN p10_days END, beyond)::double precision AS p10,
                   least(CASE WHEN p50_days <= beyond - 1 THEN p50_days END, beyond)::double precision AS p50,
                   least(CASE WHEN p90_days <= beyond - 1 THEN p90_days END, beyond)::double precision AS p90,
                   least(CASE WHEN drift_days <= beyond - 1 THEN drift_days END, beyond)::double precision AS drift
              FROM judged),
        scored AS (
            SELECT truth < p10 AS early, truth > p90 AS late, abs(p50 - truth) / greatest(truth, 1) AS error,
                   abs(ln(greatest(p50, 1)) - ln(greatest(truth, 1))) AS own,
                   abs(ln(greatest(drift, 1)) - ln(greatest(truth, 1))) AS drifted, censored
              FROM days)
        SELECT count(*), avg((NOT early AND NOT late)::int)::double precision, avg(early::int)::double precision,
               avg(late::int)::double precision,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY error) FILTER (WHERE NOT censored),
               1 - sum(own) / nullif(sum(drifted), 0)
          FROM scored;
END
$$;
