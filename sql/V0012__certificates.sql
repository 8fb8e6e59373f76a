-- Certificates that hold no longer although they have not ended: the authority's signed list of them goes to every node.
CREATE TABLE fleet.revoked_certificates (
    serial text PRIMARY KEY CHECK (serial ~ '^[0-9a-f]{1,40}$'),
    node_id uuid REFERENCES fleet.nodes ON DELETE CASCADE,
    revoked_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(revoked_at)),
    ends_at timestamptz NOT NULL CHECK (isfinite(ends_at))
);
CREATE INDEX revoked_certificates_node ON fleet.revoked_certificates (node_id);
COMMENT ON TABLE fleet.revoked_certificates IS 'Certificates of the hub''s authority that were taken out of use; forgotten once they have ended by themselves';
COMMENT ON COLUMN fleet.revoked_certificates.serial IS 'Serial number, lower-case hexadecimal without leading zero bytes';
COMMENT ON COLUMN fleet.revoked_certificates.node_id IS 'Whose; NULL for the hub''s own';
COMMENT ON COLUMN fleet.revoked_certificates.revoked_at IS 'Since when';
COMMENT ON COLUMN fleet.revoked_certificates.ends_at IS 'When it would have ended';

ALTER TABLE fleet.nodes ADD COLUMN revocations_at timestamptz CHECK (isfinite(revocations_at));
COMMENT ON COLUMN fleet.nodes.revocations_at IS 'When the node was last granted a certificate, and with it the list of revoked ones; an older list is renewed when the hub''s own certificate is revoked';

ALTER TABLE fleet.revoked_certificates ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON fleet.revoked_certificates FOR SELECT USING ((SELECT fleet.sees_all()));
CREATE POLICY changed ON fleet.revoked_certificates
    USING ((SELECT fleet.may_change())) WITH CHECK ((SELECT fleet.may_change()));
GRANT SELECT, INSERT, UPDATE, DELETE ON fleet.revoked_certificates TO headroom_service, headroom_admin;
GRANT SELECT ON fleet.revoked_certificates TO headroom_intake;
