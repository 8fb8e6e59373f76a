-- Jobs of the hub, settings that pages show, and what was done by whom.
CREATE TABLE fleet.jobs (
    name text PRIMARY KEY CHECK (btrim(name) <> '' AND length(name) <= 500),
    about text NOT NULL,
    schedule text NOT NULL CHECK (btrim(schedule) <> '' AND length(schedule) <= 500),
    next_start timestamptz NOT NULL CHECK (isfinite(next_start)),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    parked_at timestamptz CHECK (isfinite(parked_at))
);
COMMENT ON TABLE fleet.jobs IS 'Jobs of the hub; a job that keeps failing is parked and stops no other';
COMMENT ON COLUMN fleet.jobs.name IS 'Name';
COMMENT ON COLUMN fleet.jobs.about IS 'What it does';
COMMENT ON COLUMN fleet.jobs.schedule IS 'Five cron fields, UTC';
COMMENT ON COLUMN fleet.jobs.next_start IS 'Next start, written before it starts';
COMMENT ON COLUMN fleet.jobs.failures IS 'Failures in a row';
COMMENT ON COLUMN fleet.jobs.parked_at IS 'Since when it waits for a person';

CREATE TABLE fleet.job_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL REFERENCES fleet.jobs ON DELETE CASCADE,
    started_at timestamptz NOT NULL CHECK (isfinite(started_at)),
    ended_at timestamptz CHECK (isfinite(ended_at)),
    outcome text CHECK (outcome IN ('done', 'failed')),
    detail text
);
CREATE INDEX job_runs_job ON fleet.job_runs (job, started_at DESC);
COMMENT ON TABLE fleet.job_runs IS 'History of the jobs';
COMMENT ON COLUMN fleet.job_runs.run_id IS 'Key';
COMMENT ON COLUMN fleet.job_runs.job IS 'Which job';
COMMENT ON COLUMN fleet.job_runs.started_at IS 'Started';
COMMENT ON COLUMN fleet.job_runs.ended_at IS 'Ended; NULL while it runs or when the service died';
COMMENT ON COLUMN fleet.job_runs.outcome IS 'done or failed';
COMMENT ON COLUMN fleet.job_runs.detail IS 'What it came to';

CREATE TABLE fleet.notices (
    name text PRIMARY KEY CHECK (btrim(name) <> '' AND length(name) <= 500),
    text text NOT NULL CHECK (btrim(text) <> '' AND length(text) <= 500)
);
COMMENT ON TABLE fleet.notices IS 'Sentences that every page shows, such as where the demo''s data come from';
COMMENT ON COLUMN fleet.notices.name IS 'Name';
COMMENT ON COLUMN fleet.notices.text IS 'The sentence';

CREATE TABLE fleet.audit_log (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(happened_at)),
    who text NOT NULL CHECK (btrim(who) <> '' AND length(who) <= 500),
    what text NOT NULL CHECK (btrim(what) <> '' AND length(what) <= 500),
    customer_id bigint,
    unit_id bigint,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_customer ON fleet.audit_log (customer_id, audit_id);
COMMENT ON TABLE fleet.audit_log IS 'What was done by whom; it outlives what it tells of, so it has no foreign keys';
COMMENT ON COLUMN fleet.audit_log.audit_id IS 'Key';
COMMENT ON COLUMN fleet.audit_log.happened_at IS 'When';
COMMENT ON COLUMN fleet.audit_log.who IS 'Person or role';
COMMENT ON COLUMN fleet.audit_log.what IS 'What';
COMMENT ON COLUMN fleet.audit_log.customer_id IS 'About which customer';
COMMENT ON COLUMN fleet.audit_log.unit_id IS 'About which unit';
COMMENT ON COLUMN fleet.audit_log.detail IS 'More';
