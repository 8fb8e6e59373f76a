-- Questions about a unit, in SQL. They read the current fleet run, as the page and the command line do, or ask core's model
-- anew, through the extension's functions on values, as of another moment.
-- SQLSTATE RM001: the unit is unknown or not visible; 22023: an argument that cannot be.

CREATE FUNCTION fleet.require_unit(unit_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF unit_id IS NULL OR NOT EXISTS (SELECT FROM fleet.units u WHERE u.unit_id = require_unit.unit_id) THEN
        RAISE EXCEPTION 'there is no unit % that you may see', coalesce(unit_id::text, 'NULL')
            USING ERRCODE = 'RM001', HINT = 'SELECT unit_id, name FROM fleet.units lists the units that you see.';
    END IF;
    RETURN unit_id;
END
$$;
COMMENT ON FUNCTION fleet.require_unit(bigint) IS 'The unit''s key; error RM001 where it is unknown or not visible';

CREATE FUNCTION fleet.require_instant(at timestamptz, what text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF at IS NULL OR NOT isfinite(at) THEN
        RAISE EXCEPTION '% must be a moment, not %', what, coalesce(at::text, 'NULL')
            USING ERRCODE = '22023', HINT = 'Give a timestamp such as now() + interval ''90 days''.';
    END IF;
    RETURN at;
END
$$;
COMMENT ON FUNCTION fleet.require_instant(timestamptz, text) IS 'The moment; error 22023 where it is NULL or infinite';

CREATE FUNCTION fleet.require_resource(resource text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF resource IS NOT NULL AND resource NOT IN ('capacity', 'load', 'endurance', 'inodes', 'thin_metadata') THEN
        RAISE EXCEPTION 'unknown resource %', quote_literal(left(resource, 60))
            USING ERRCODE = '22023', HINT = 'Use capacity, load, endurance, inodes, thin_metadata, or NULL for all.';
    END IF;
    RETURN resource;
END
$$;
COMMENT ON FUNCTION fleet.require_resource(text) IS 'The resource; error 22023 where there is no such';

CREATE FUNCTION fleet.daily_history(as_of timestamptz, components bigint[] DEFAULT NULL)
RETURNS TABLE (component_id bigint, resource text, at timestamptz[], used double precision[],
               limits double precision[])
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- headroom.daily_arrays reads the columns straight from the blocks; the other half of each resource stands here.
    SELECT d.segment, r.resource, d.at, d.value,
           CASE r.resource WHEN 'load' THEN array_fill(0.8::double precision, ARRAY[cardinality(d.at)])
                           WHEN 'endurance' THEN array_fill(1::double precision, ARRAY[cardinality(d.at)])
                           WHEN 'inodes' THEN array_replace(d.companion, 0, NULL)
                           ELSE d.companion END
      FROM headroom.daily_arrays('fleet.status', daily_history.components,
               ARRAY['used_bytes', 'utilisation', 'endurance_used_percent', 'inodes_used', 'metadata_used_bytes'],
               statistics => ARRAY['last', 'p95', 'last', 'last', 'last'],
               companions => ARRAY['capacity_bytes', NULL, NULL, 'inodes_total', 'metadata_capacity_bytes'],
               divisors => ARRAY[NULL, NULL, 100, NULL, NULL]::double precision[],
               "after" => daily_history.as_of - interval '4 years',
               until => fleet.require_instant(daily_history.as_of, 'as_of'),
               origin => daily_history.as_of) d
      JOIN (VALUES ('used_bytes', 'capacity'), ('utilisation', 'load'), ('endurance_used_percent', 'endurance'),
                   ('inodes_used', 'inodes'), ('metadata_used_bytes', 'thin_metadata')) AS r (column_name, resource)
           USING (column_name)
$$;
COMMENT ON FUNCTION fleet.daily_history(timestamptz, bigint[]) IS 'What the forecast is asked: one value a day of every resource that was reported, days counted back from as_of. The last of the day; of load the 95 % quantile, against a limit of 80 % utilisation';

CREATE FUNCTION fleet.forecasts_of(unit_id bigint, resource text DEFAULT NULL, as_of timestamptz DEFAULT NULL)
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
    RETURN QUERY
        SELECT (jsonb_populate_record(NULL::fleet.forecasts, d.document || jsonb_build_object(
                   'component_id', h.component_id, 'resource', h.resource, 'resource_limit', d.document -> 'limit',
                   'reason_code', d.document #> '{reason,code}', 'reason', d.document #> '{reason,sentence}'))).*
          FROM fleet.daily_history(forecasts_of.as_of, ARRAY(
                   SELECT c.component_id FROM fleet.components c WHERE c.unit_id = forecasts_of.unit_id)) h
          LEFT JOIN fleet.forecast_runs r ON r.is_current
         CROSS JOIN LATERAL (SELECT headroom.forecast_document(h.at, h.used, h.limits, as_of => forecasts_of.as_of,
                   resource => h.resource, prior => nullif(r.constants, '{}')) AS document) d
         WHERE h.resource = coalesce(forecasts_of.resource, h.resource)
           AND (r.run_id IS NULL OR EXISTS (SELECT FROM fleet.forecasts f
                 WHERE f.component_id = h.component_id AND f.resource = h.resource AND f.run_id = r.run_id));
END
$$;
COMMENT ON FUNCTION fleet.forecasts_of(bigint, text, timestamptz) IS 'A unit''s forecasts: those of the current fleet run, or computed anew as of another moment with nothing later known. What all questions about a unit read';

CREATE FUNCTION fleet.exhaustion(unit_id bigint, resource text DEFAULT NULL, as_of timestamptz DEFAULT NULL)
RETURNS TABLE (component_id bigint, resource text, state text, reason text, p10 timestamptz, p50 timestamptz,
               p90 timestamptz, last_used double precision, resource_limit double precision, data_until timestamptz,
               samples bigint, model text, as_of timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.component_id, f.resource, f.state, f.reason, f.p10, f.p50, f.p90, f.last_used, f.resource_limit,
           f.data_until, f.samples, f.model, f.as_of
      FROM fleet.forecasts_of($1, $2, $3) f
     ORDER BY f.p50, f.p10, f.component_id, f.resource
$$;
COMMENT ON FUNCTION fleet.exhaustion(bigint, text, timestamptz) IS 'When a unit''s resources run out, the earliest first: by the current fleet run, or computed anew as of another moment. Only the state dated has dates';

CREATE FUNCTION fleet.forecast(unit_id bigint, resource text DEFAULT 'capacity', as_of timestamptz DEFAULT NULL)
RETURNS TABLE (component_id bigint, resource text, "time" timestamptz, p10 double precision, p50 double precision,
               p90 double precision, probability double precision)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.component_id, f.resource, (point ->> 'at')::timestamptz, (point ->> 'p10')::double precision,
           (point ->> 'p50')::double precision, (point ->> 'p90')::double precision,
           headroom.probability_by(f.passage, (point ->> 'at')::timestamptz)
      FROM fleet.forecasts_of($1, $2, $3) f
     CROSS JOIN LATERAL jsonb_array_elements(f.fan) AS point
     ORDER BY f.component_id, f.resource, 3
$$;
COMMENT ON FUNCTION fleet.forecast(bigint, text, timestamptz) IS 'Quantiles of a unit''s values over time and the probability that the limit is reached by then; the column time suits Grafana. By the current fleet run, or as of another moment';

CREATE FUNCTION fleet.p_exhaust_by(unit_id bigint, deadline timestamptz, resource text DEFAULT 'capacity',
                                   as_of timestamptz DEFAULT NULL)
RETURNS double precision
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT max(CASE f.state WHEN 'already_exhausted' THEN 1 ELSE headroom.probability_by(f.passage, d.deadline) END)
      FROM (SELECT fleet.require_instant($2, 'deadline') AS deadline OFFSET 0) d
      LEFT JOIN LATERAL fleet.forecasts_of($1, $3, $4) f ON true
$$;
COMMENT ON FUNCTION fleet.p_exhaust_by(bigint, timestamptz, text, timestamptz) IS 'Probability that a resource of the unit has run out by a deadline, the worst of its components; NULL beyond the horizon or without ground';

CREATE FUNCTION fleet.time_left(unit_id bigint, confidence double precision DEFAULT 0.9, resource text DEFAULT 'capacity',
                                as_of timestamptz DEFAULT NULL)
RETURNS interval
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF confidence IS NULL OR NOT (confidence > 0 AND confidence < 1) THEN
        RAISE EXCEPTION 'confidence must lie between 0 and 1, not %', coalesce(confidence::text, 'NULL')
            USING ERRCODE = '22023', HINT = '0.9 is the time that is left with a probability of 90 %: until P10.';
    END IF;
    RETURN (
        SELECT min(CASE WHEN f.state = 'already_exhausted' THEN interval '0'
                        WHEN f.state <> 'dated' THEN NULL
                        ELSE greatest(headroom.date_of_probability(f.passage, 1 - confidence, f.p10, f.p50, f.p90), f.as_of)
                             - f.as_of END)
          FROM fleet.forecasts_of(time_left.unit_id, time_left.resource, time_left.as_of) f);
END
$$;
COMMENT ON FUNCTION fleet.time_left(bigint, double precision, text, timestamptz) IS 'Time until a resource runs out that is left with this probability (0.9: until P10), the shortest of its components; NULL where there is no date';

CREATE FUNCTION fleet.what_if(unit_id bigint, added double precision DEFAULT 0, growth double precision DEFAULT 1,
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
                                         prior => nullif(r.constants, '{}')) w
     WHERE h.resource = k.resource AND w.variant = 'what_if'
     ORDER BY 1, 2, 3
$$;
COMMENT ON FUNCTION fleet.what_if(bigint, double precision, double precision, text, timestamptz) IS 'When a unit''s resources run out as it is, and with so much added to the limit of each component (bytes, ratio or count, as the resource says; negative: taken away) or with growth multiplied by a factor';

CREATE FUNCTION fleet.order_by(unit_id bigint) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM fleet.require_unit(order_by.unit_id);
    RETURN (
        SELECT min(p.order_by) FROM fleet.plans p JOIN fleet.forecast_runs r ON r.run_id = p.run_id AND r.is_current
         WHERE p.unit_id = order_by.unit_id AND p.chosen);
END
$$;
COMMENT ON FUNCTION fleet.order_by(bigint) IS 'Date by which the suggested plan must be ordered; NULL where nothing is needed';

CREATE FUNCTION fleet.why(unit_id bigint, as_of timestamptz DEFAULT NULL)
RETURNS TABLE (component_id bigint, resource text, ord bigint, kind text, at timestamptz, amount double precision,
               sentence text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.component_id, f.resource, w.ord, w.factor ->> 'kind', (w.factor ->> 'at')::timestamptz,
           (w.factor ->> 'amount')::double precision, w.factor ->> 'sentence'
      FROM fleet.forecasts_of($1, NULL, $2) f
     CROSS JOIN LATERAL jsonb_array_elements(f.why) WITH ORDINALITY AS w (factor, ord)
     ORDER BY f.component_id, f.resource, w.ord
$$;
COMMENT ON FUNCTION fleet.why(bigint, timestamptz) IS 'What moves a unit''s dates, the most important first';

CREATE FUNCTION fleet.accuracy(unit_id bigint DEFAULT NULL)
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
            SELECT b.*, extract(epoch FROM b.judged_until - b.origin) / 86400 AS known_days
              FROM fleet.backtests b JOIN fleet.components c USING (component_id)
             WHERE accuracy.unit_id IS NULL OR c.unit_id = accuracy.unit_id),
        days AS (
            SELECT coalesce(true_days, known_days)::double precision AS truth, true_days IS NULL AS censored,
                   least(coalesce(p10_days, known_days), known_days)::double precision AS p10,
                   least(coalesce(p50_days, known_days), known_days)::double precision AS p50,
                   least(coalesce(p90_days, known_days), known_days)::double precision AS p90,
                   least(coalesce(drift_days, known_days), known_days)::double precision AS drift
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
COMMENT ON FUNCTION fleet.accuracy(bigint) IS 'How past forecasts came out, of one unit or all that are visible: share inside P10–P90 and outside on either side, median relative error of P50 where the limit was reached, and skill against the straight line';

CREATE FUNCTION fleet.purchase_plan(unit_id bigint)
RETURNS TABLE (rank smallint, action text, chosen boolean, items text, price numeric, currency text, order_by date,
               overdue boolean, lasts_until timestamptz, binding_constraint text, reason text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM fleet.require_unit(purchase_plan.unit_id);
    RETURN QUERY
        SELECT p.rank, p.action, p.chosen,
               (SELECT string_agg(i.quantity || ' × ' || d.sku, ', ' ORDER BY d.sku)
                  FROM fleet.plan_items i JOIN fleet.products d USING (product_id) WHERE i.plan_id = p.plan_id),
               p.price, p.currency, p.order_by, p.overdue, p.lasts_until, p.binding_constraint, p.reason
          FROM fleet.plans p JOIN fleet.forecast_runs r ON r.run_id = p.run_id AND r.is_current
         WHERE p.unit_id = purchase_plan.unit_id
         ORDER BY p.rank;
END
$$;
COMMENT ON FUNCTION fleet.purchase_plan(bigint) IS 'What could be done about a unit, by the current fleet run';

-- Erasure.
CREATE FUNCTION fleet.erase_unit(unit_id bigint) RETURNS TABLE (status_rows bigint, left_over bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts bigint[] := ARRAY(SELECT c.component_id FROM fleet.components c
                             WHERE c.unit_id = fleet.require_unit(erase_unit.unit_id));
BEGIN
    DELETE FROM fleet.status s WHERE s.component_id = ANY (parts);
    GET DIAGNOSTICS status_rows = ROW_COUNT;
    DELETE FROM fleet.units u WHERE u.unit_id = erase_unit.unit_id;
    SELECT count(*) INTO left_over FROM fleet.status s WHERE s.component_id = ANY (parts);
    IF left_over > 0 OR EXISTS (SELECT FROM fleet.units u WHERE u.unit_id = erase_unit.unit_id) THEN
        RAISE EXCEPTION 'unit % could not be erased: % rows are left', erase_unit.unit_id, left_over
            USING ERRCODE = '42501', HINT = 'Erase as a member of headroom_admin.';
    END IF;
    INSERT INTO fleet.audit_log (who, what, unit_id, detail)
        VALUES (session_user, 'unit erased', erase_unit.unit_id, jsonb_build_object('status_rows', status_rows));
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION fleet.erase_unit(bigint) IS 'Removes a unit with its whole history, and counts what is left: 0, or an error';

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA fleet FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleet.require_unit(bigint), fleet.require_instant(timestamptz, text),
    fleet.require_resource(text), fleet.forecasts_of(bigint, text, timestamptz),
    fleet.exhaustion(bigint, text, timestamptz), fleet.forecast(bigint, text, timestamptz),
    fleet.p_exhaust_by(bigint, timestamptz, text, timestamptz),
    fleet.time_left(bigint, double precision, text, timestamptz),
    fleet.what_if(bigint, double precision, double precision, text, timestamptz), fleet.order_by(bigint),
    fleet.why(bigint, timestamptz), fleet.accuracy(bigint), fleet.purchase_plan(bigint),
    fleet.daily_history(timestamptz, bigint[])
    TO headroom_service, headroom_admin, headroom_intake, headroom_sales, headroom_customer, headroom_reader;
GRANT EXECUTE ON FUNCTION fleet.erase_unit(bigint) TO headroom_service, headroom_admin;
