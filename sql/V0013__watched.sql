-- Fleets that are watched already: what a Prometheus or an OpenTelemetry collector sends is mapped to units by the names
-- of its series.
CREATE TABLE fleet.metric_mappings (
    metric text PRIMARY KEY CHECK (btrim(metric) <> '' AND length(metric) <= 200),
    kind text NOT NULL CHECK (kind IN ('drive', 'pool', 'volume', 'file_system')),
    label text NOT NULL CHECK (btrim(label) <> '' AND length(label) <= 200),
    field text NOT NULL CHECK (btrim(field) <> '' AND length(field) <= 100),
    factor double precision NOT NULL DEFAULT 1 CHECK (factor > 0 AND factor < 'infinity')
);
COMMENT ON TABLE fleet.metric_mappings IS 'Names of series that a person mapped; what node_exporter and smartctl_exporter send needs none';
COMMENT ON COLUMN fleet.metric_mappings.metric IS 'Name of the series';
COMMENT ON COLUMN fleet.metric_mappings.kind IS 'Kind of component that it speaks of';
COMMENT ON COLUMN fleet.metric_mappings.label IS 'Which of its labels names the component';
COMMENT ON COLUMN fleet.metric_mappings.field IS 'Which figure of the status it is';
COMMENT ON COLUMN fleet.metric_mappings.factor IS 'Its value times this is the figure';

CREATE TABLE fleet.unmatched_metrics (
    node_id uuid NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
    metric text NOT NULL CHECK (btrim(metric) <> '' AND length(metric) <= 200),
    labels jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    series bigint NOT NULL CHECK (series > 0),
    seen_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(seen_at)),
    PRIMARY KEY (node_id, metric)
);
COMMENT ON TABLE fleet.unmatched_metrics IS 'Names of series that a sender sent and nothing maps, for a person to map';
COMMENT ON COLUMN fleet.unmatched_metrics.node_id IS 'Which sender';
COMMENT ON COLUMN fleet.unmatched_metrics.metric IS 'Name of the series';
COMMENT ON COLUMN fleet.unmatched_metrics.labels IS 'The labels of one of them';
COMMENT ON COLUMN fleet.unmatched_metrics.series IS 'Most series of that name in one request';
COMMENT ON COLUMN fleet.unmatched_metrics.seen_at IS 'Last seen';

CREATE TABLE fleet.watched_parts (
    node_id uuid NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
    component_key text NOT NULL CHECK (btrim(component_key) <> '' AND length(component_key) <= 500),
    part text NOT NULL CHECK (part IN ('size', 'free', 'files', 'files_free', 'busy')),
    at timestamptz NOT NULL CHECK (isfinite(at)),
    value double precision NOT NULL CHECK (value >= 0 AND value < 'infinity'),
    PRIMARY KEY (node_id, component_key, part, at)
);
COMMENT ON TABLE fleet.watched_parts IS 'Values that only mean something together with another: size and free space, which may come in different requests, and the last reading of a counter. Kept for a day, the last reading of a counter always';
COMMENT ON COLUMN fleet.watched_parts.node_id IS 'Which sender';
COMMENT ON COLUMN fleet.watched_parts.component_key IS 'Which component of it';
COMMENT ON COLUMN fleet.watched_parts.part IS 'size and free of a file system, files and files_free of it, busy seconds of a device';
COMMENT ON COLUMN fleet.watched_parts.at IS 'When it was measured';
COMMENT ON COLUMN fleet.watched_parts.value IS 'The value';

DO $policies$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['metric_mappings', 'unmatched_metrics', 'watched_parts'] LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('CREATE POLICY seen ON fleet.%I FOR SELECT USING ((SELECT fleet.sees_all()))', relation);
        EXECUTE format('CREATE POLICY changed ON fleet.%I USING ((SELECT fleet.may_change())) WITH CHECK ((SELECT fleet.may_change()))', relation);
    END LOOP;
END
$policies$;
GRANT SELECT, INSERT, UPDATE, DELETE ON fleet.metric_mappings, fleet.unmatched_metrics, fleet.watched_parts
    TO headroom_service, headroom_admin, headroom_intake;
