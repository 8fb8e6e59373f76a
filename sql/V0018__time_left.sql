-- Where the date of a confidence lies beyond the horizon there is none: greatest() passes over a NULL and told the moment of asking,
-- as if nothing were left.
CREATE OR REPLACE FUNCTION fleet.time_left(unit_id bigint, confidence double precision DEFAULT 0.9, resource text DEFAULT 'capacity',
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
                        WHEN d.date IS NULL THEN NULL
                        ELSE greatest(d.date, f.as_of) - f.as_of END)
          FROM fleet.forecasts_of(time_left.unit_id, time_left.resource, time_left.as_of) f
          LEFT JOIN LATERAL (
              SELECT headroom.date_of_probability(f.passage, 1 - confidence, f.p10, f.p50, f.p90) AS date
               WHERE f.state = 'dated') d ON true);
END
$$;
