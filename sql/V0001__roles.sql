-- Roles and the schema. Roles belong to the whole server: another database may have made them already.
DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['headroom_admin', 'headroom_intake', 'headroom_sales', 'headroom_customer',
                                  'headroom_reader', 'headroom_service'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
        END IF;
    END LOOP;
END
$roles$;

CREATE EXTENSION IF NOT EXISTS headroom;

CREATE SCHEMA fleet;
COMMENT ON SCHEMA fleet IS 'Sold units, their users and status, forecasts, plans and offers';
REVOKE ALL ON SCHEMA fleet FROM PUBLIC;
GRANT USAGE ON SCHEMA fleet TO headroom_admin, headroom_intake, headroom_sales, headroom_customer, headroom_reader,
    headroom_service;
