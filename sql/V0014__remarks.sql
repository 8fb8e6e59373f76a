-- What nodes say beside the figures: pages of a drive that disagree, a tool that tells nothing, a store that cannot be
-- written; and what happened to them: a clock that jumped, records set aside.
CREATE TABLE fleet.remarks (
    node_id uuid NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    component_id bigint REFERENCES fleet.components ON DELETE CASCADE,
    happened_at timestamptz CHECK (isfinite(happened_at)),
    sentence text NOT NULL CHECK (btrim(sentence) <> '' AND length(sentence) <= 4000),
    noted_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(noted_at)),
    PRIMARY KEY (node_id, digest)
);
CREATE INDEX remarks_component ON fleet.remarks (component_id);
COMMENT ON TABLE fleet.remarks IS 'What nodes say beside the figures. What holds goes when it is told no more; what happened stays for 400 days';
COMMENT ON COLUMN fleet.remarks.node_id IS 'Which node';
COMMENT ON COLUMN fleet.remarks.digest IS 'SHA-256 of component, moment and sentence as told: the same remark is kept once, however often it is told';
COMMENT ON COLUMN fleet.remarks.component_id IS 'Which component; NULL for the node and its machine';
COMMENT ON COLUMN fleet.remarks.happened_at IS 'When it happened, by the node''s clock; NULL for what holds now';
COMMENT ON COLUMN fleet.remarks.sentence IS 'What the node says';
COMMENT ON COLUMN fleet.remarks.noted_at IS 'When the hub first heard it';

ALTER TABLE fleet.remarks ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON fleet.remarks FOR SELECT
    USING ((SELECT fleet.sees_all()) OR component_id IN (SELECT fleet.visible_components())
           OR (component_id IS NULL AND node_id IN (SELECT u.node_id FROM fleet.units u)));
CREATE POLICY changed ON fleet.remarks
    USING ((SELECT fleet.may_change())) WITH CHECK ((SELECT fleet.may_change()));
GRANT SELECT, INSERT, UPDATE, DELETE ON fleet.remarks TO headroom_service, headroom_admin, headroom_intake;
GRANT SELECT ON fleet.remarks TO headroom_sales, headroom_customer, headroom_reader;
