-- Fleet runs and their forecasts. A run is published whole: readers see one run or the other.
CREATE TABLE fleet.forecast_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    as_of timestamptz NOT NULL CHECK (isfinite(as_of)),
    model text NOT NULL CHECK (btrim(model) <> '' AND length(model) <= 500),
    started_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(started_at)),
    published_at timestamptz CHECK (isfinite(published_at)),
    is_current boolean NOT NULL DEFAULT false,
    forecasts bigint NOT NULL DEFAULT 0 CHECK (forecasts >= 0),
    scope text NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'changed')),
    constants jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(constants) = 'object'),
    given_up text,
    CONSTRAINT only_published_is_current CHECK (NOT is_current OR published_at IS NOT NULL),
    CONSTRAINT given_up_is_not_published CHECK (given_up IS NULL OR published_at IS NULL)
);
CREATE UNIQUE INDEX forecast_runs_current ON fleet.forecast_runs (is_current) WHERE is_current;
COMMENT ON TABLE fleet.forecast_runs IS 'Fleet runs; at most one is current';
COMMENT ON COLUMN fleet.forecast_runs.run_id IS 'Key';
COMMENT ON COLUMN fleet.forecast_runs.as_of IS 'The moment of asking';
COMMENT ON COLUMN fleet.forecast_runs.model IS 'Model and version of its constants';
COMMENT ON COLUMN fleet.forecast_runs.started_at IS 'Started';
COMMENT ON COLUMN fleet.forecast_runs.published_at IS 'Published; NULL while it runs or when it failed';
COMMENT ON COLUMN fleet.forecast_runs.is_current IS 'What readers see';
COMMENT ON COLUMN fleet.forecast_runs.forecasts IS 'Number of forecasts';
COMMENT ON COLUMN fleet.forecast_runs.scope IS 'all: every unit was forecast; changed: those with new status, the others carried over';
COMMENT ON COLUMN fleet.forecast_runs.constants IS 'The model''s constants in this run: with them every answer can be computed again';
COMMENT ON COLUMN fleet.forecast_runs.given_up IS 'Why it was given up before it was published';

-- Several services share a run: each claims a range of units, and writes its forecasts and that it is done in one transaction.
CREATE TABLE fleet.run_ranges (
    run_id bigint NOT NULL REFERENCES fleet.forecast_runs ON DELETE CASCADE,
    first_unit bigint NOT NULL,
    last_unit bigint NOT NULL,
    done_at timestamptz CHECK (isfinite(done_at)),
    forecasts bigint NOT NULL DEFAULT 0 CHECK (forecasts >= 0),
    carried bigint NOT NULL DEFAULT 0 CHECK (carried >= 0),
    held_back bigint NOT NULL DEFAULT 0 CHECK (held_back >= 0),
    plans bigint NOT NULL DEFAULT 0 CHECK (plans >= 0),
    PRIMARY KEY (run_id, first_unit),
    CONSTRAINT range_is_in_order CHECK (first_unit <= last_unit)
);
COMMENT ON TABLE fleet.run_ranges IS 'Ranges of units of a fleet run: claimed with FOR UPDATE SKIP LOCKED, so that a service that dies lets go of its range';
COMMENT ON COLUMN fleet.run_ranges.run_id IS 'Of which run';
COMMENT ON COLUMN fleet.run_ranges.first_unit IS 'First unit';
COMMENT ON COLUMN fleet.run_ranges.last_unit IS 'Last unit';
COMMENT ON COLUMN fleet.run_ranges.done_at IS 'Done; NULL while it waits or is worked on';
COMMENT ON COLUMN fleet.run_ranges.forecasts IS 'Forecasts written, those carried over included';
COMMENT ON COLUMN fleet.run_ranges.carried IS 'Forecasts carried over from the run before, since nothing had changed';
COMMENT ON COLUMN fleet.run_ranges.held_back IS 'Forecasts that did not pass the checks: the one before stays';
COMMENT ON COLUMN fleet.run_ranges.plans IS 'Units with a plan';

-- What the model knows of units alike, fitted from the fleet.
CREATE TABLE fleet.priors (
    version text PRIMARY KEY CHECK (btrim(version) <> '' AND length(version) <= 500),
    fitted_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(fitted_at)),
    as_of timestamptz NOT NULL CHECK (isfinite(as_of)),
    units bigint NOT NULL CHECK (units >= 0),
    constants jsonb NOT NULL CHECK (jsonb_typeof(constants) = 'object')
);
COMMENT ON TABLE fleet.priors IS 'Versions of the model''s constants, fitted from the fleet; the newest is used by the next run';
COMMENT ON COLUMN fleet.priors.version IS 'Name and version, shown with each forecast';
COMMENT ON COLUMN fleet.priors.fitted_at IS 'When it was fitted';
COMMENT ON COLUMN fleet.priors.as_of IS 'Nothing later was used';
COMMENT ON COLUMN fleet.priors.units IS 'Histories used';
COMMENT ON COLUMN fleet.priors.constants IS 'The constants';

CREATE TABLE fleet.forecasts (
    component_id bigint NOT NULL REFERENCES fleet.components ON DELETE CASCADE,
    resource text NOT NULL CHECK (resource IN ('capacity', 'load', 'endurance', 'inodes', 'thin_metadata')),
    run_id bigint NOT NULL REFERENCES fleet.forecast_runs ON DELETE CASCADE,
    state text NOT NULL CHECK (state IN ('dated', 'beyond_horizon', 'flat_or_shrinking', 'too_noisy', 'too_short',
                                         'stale', 'already_exhausted', 'unknown_limit')),
    reason_code text NOT NULL,
    reason text NOT NULL,
    p10 timestamptz CHECK (isfinite(p10)),
    p50 timestamptz CHECK (isfinite(p50)),
    p90 timestamptz CHECK (isfinite(p90)),
    as_of timestamptz NOT NULL CHECK (isfinite(as_of)),
    model text NOT NULL CHECK (btrim(model) <> '' AND length(model) <= 500),
    data_from timestamptz CHECK (isfinite(data_from)),
    data_until timestamptz CHECK (isfinite(data_until)),
    last_used double precision CHECK (last_used >= 0 AND last_used < 'infinity'),
    resource_limit double precision CHECK (resource_limit > 0 AND resource_limit < 'infinity'),
    samples bigint NOT NULL CHECK (samples >= 0),
    set_aside bigint NOT NULL CHECK (set_aside >= 0),
    passage jsonb NOT NULL DEFAULT '[]',
    fan jsonb NOT NULL DEFAULT '[]',
    why jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (component_id, resource, run_id),
    CONSTRAINT only_dated_has_dates CHECK ((state = 'dated') = (p10 IS NOT NULL)),
    CONSTRAINT dates_are_in_order CHECK (
        (p50 IS NULL OR p50 >= p10) AND (p90 IS NULL OR (p50 IS NOT NULL AND p90 >= p50)))
);
CREATE INDEX forecasts_run ON fleet.forecasts (run_id);
COMMENT ON TABLE fleet.forecasts IS 'Forecasts by component, resource and run';
COMMENT ON COLUMN fleet.forecasts.component_id IS 'Which component';
COMMENT ON COLUMN fleet.forecasts.resource IS 'What runs out';
COMMENT ON COLUMN fleet.forecasts.run_id IS 'By which run';
COMMENT ON COLUMN fleet.forecasts.state IS 'What it says; only dated has dates';
COMMENT ON COLUMN fleet.forecasts.reason_code IS 'Why, for machines';
COMMENT ON COLUMN fleet.forecasts.reason IS 'Why, for people';
COMMENT ON COLUMN fleet.forecasts.p10 IS 'Exhausted before this date with a probability of 10 %';
COMMENT ON COLUMN fleet.forecasts.p50 IS 'Median date; NULL beyond the horizon';
COMMENT ON COLUMN fleet.forecasts.p90 IS 'Exhausted before this date with a probability of 90 %; NULL beyond the horizon';
COMMENT ON COLUMN fleet.forecasts.as_of IS 'The moment of asking';
COMMENT ON COLUMN fleet.forecasts.model IS 'Model and version of its constants';
COMMENT ON COLUMN fleet.forecasts.data_from IS 'First observation used';
COMMENT ON COLUMN fleet.forecasts.data_until IS 'Last observation used';
COMMENT ON COLUMN fleet.forecasts.last_used IS 'Last value: bytes, ratio or count, as the resource says';
COMMENT ON COLUMN fleet.forecasts.resource_limit IS 'The limit, in the same unit';
COMMENT ON COLUMN fleet.forecasts.samples IS 'Observations used';
COMMENT ON COLUMN fleet.forecasts.set_aside IS 'Observations that were not believed';
COMMENT ON COLUMN fleet.forecasts.passage IS 'Probability of exhaustion by time: [{at, probability}]';
COMMENT ON COLUMN fleet.forecasts.fan IS 'Quantiles of the value: [{at, p10, p50, p90}]';
COMMENT ON COLUMN fleet.forecasts.why IS 'What moves the date: [{kind, at, amount, sentence}]';

CREATE TABLE fleet.backtests (
    component_id bigint NOT NULL REFERENCES fleet.components ON DELETE CASCADE,
    resource text NOT NULL CHECK (resource IN ('capacity', 'load', 'endurance', 'inodes', 'thin_metadata')),
    origin timestamptz NOT NULL CHECK (isfinite(origin)),
    question_limit double precision NOT NULL CHECK (question_limit > 0 AND question_limit < 'infinity'),
    judged_until timestamptz NOT NULL CHECK (isfinite(judged_until)),
    p10_days double precision CHECK (p10_days >= 0 AND p10_days < 'infinity'),
    p50_days double precision CHECK (p50_days >= 0 AND p50_days < 'infinity'),
    p90_days double precision CHECK (p90_days >= 0 AND p90_days < 'infinity'),
    true_days double precision CHECK (true_days >= 0 AND true_days < 'infinity'),
    drift_days double precision CHECK (drift_days >= 0 AND drift_days < 'infinity'),
    model text NOT NULL CHECK (btrim(model) <> '' AND length(model) <= 500),
    PRIMARY KEY (component_id, resource, origin, question_limit)
);
COMMENT ON TABLE fleet.backtests IS 'Past forecasts judged by what came: NULL days are beyond what can be judged';
COMMENT ON COLUMN fleet.backtests.component_id IS 'Which component';
COMMENT ON COLUMN fleet.backtests.resource IS 'Which resource';
COMMENT ON COLUMN fleet.backtests.origin IS 'The moment from which it was forecast, with nothing later known';
COMMENT ON COLUMN fleet.backtests.question_limit IS 'The limit that was asked about';
COMMENT ON COLUMN fleet.backtests.judged_until IS 'Until when the truth is known';
COMMENT ON COLUMN fleet.backtests.p10_days IS 'Forecast, days after the origin';
COMMENT ON COLUMN fleet.backtests.p50_days IS 'Forecast, days after the origin';
COMMENT ON COLUMN fleet.backtests.p90_days IS 'Forecast, days after the origin';
COMMENT ON COLUMN fleet.backtests.true_days IS 'When it was truly reached; NULL where it was not by judged_until';
COMMENT ON COLUMN fleet.backtests.drift_days IS 'What the straight line from the last year would have said';
COMMENT ON COLUMN fleet.backtests.model IS 'Model and version of its constants';
