-- Who sees what. Everything is decided here, not in a page.
--
-- Who is acting?
--   * The web service's login role is a member of headroom_service. For it alone the setting fleet.person counts:
--     it acts as that person. With the setting fleet.task = 'service' and no person it acts as the service itself
--     (intake, schedule). With neither it sees nothing: what forgets to say who asks gets no rows.
--   * Everybody else is known by the login role: fleet.people.database_role, or membership in headroom_admin,
--     headroom_intake or headroom_reader. A setting changes nothing for them.

CREATE FUNCTION fleet.is_service() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_has_role(session_user, 'headroom_service', 'MEMBER')
         AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) $$;
COMMENT ON FUNCTION fleet.is_service() IS 'Whether the session belongs to the hub''s own role, for which alone settings name the person';

CREATE FUNCTION fleet.acting_person() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.person_id FROM fleet.people p
     WHERE NOT p.disabled
       AND CASE WHEN fleet.is_service()
                THEN p.person_id::text = current_setting('fleet.person', true)
                ELSE p.database_role = session_user END
$$;
COMMENT ON FUNCTION fleet.acting_person() IS 'The person who is acting, by the rules at the head of this migration; NULL for none';

CREATE FUNCTION fleet.sees_all() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN fleet.is_service() THEN
            CASE WHEN coalesce(current_setting('fleet.person', true), '') = ''
                 THEN current_setting('fleet.task', true) = 'service'
                 ELSE EXISTS (SELECT FROM fleet.people p
                               WHERE p.person_id = fleet.acting_person() AND p.role IN ('admin', 'reader')) END
        ELSE pg_has_role(session_user, 'headroom_admin', 'MEMBER')
          OR pg_has_role(session_user, 'headroom_intake', 'MEMBER')
          OR pg_has_role(session_user, 'headroom_reader', 'MEMBER')
          OR EXISTS (SELECT FROM fleet.people p
                      WHERE p.person_id = fleet.acting_person() AND p.role IN ('admin', 'reader'))
    END IS TRUE
$$;
COMMENT ON FUNCTION fleet.sees_all() IS 'Whether whoever is acting sees every customer';

CREATE FUNCTION fleet.may_change() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN fleet.is_service() THEN
            CASE WHEN coalesce(current_setting('fleet.person', true), '') = ''
                 THEN current_setting('fleet.task', true) = 'service'
                 ELSE EXISTS (SELECT FROM fleet.people p
                               WHERE p.person_id = fleet.acting_person() AND p.role = 'admin') END
        ELSE pg_has_role(session_user, 'headroom_admin', 'MEMBER')
          OR pg_has_role(session_user, 'headroom_intake', 'MEMBER')
    END IS TRUE
$$;
COMMENT ON FUNCTION fleet.may_change() IS 'Whether whoever is acting may change what belongs to any customer';

CREATE FUNCTION fleet.consent(customer_id bigint, purpose text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((SELECT c.granted FROM fleet.consents c
                      WHERE c.customer_id = consent.customer_id AND c.purpose = consent.purpose
                      ORDER BY c.consent_id DESC LIMIT 1), false)
$$;
COMMENT ON FUNCTION fleet.consent(bigint, text) IS 'The hub''s copy of a customer''s consent for a purpose; false where nothing was ever said';

CREATE FUNCTION fleet.unit_consent(unit_id bigint, purpose text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((
        SELECT fleet.consent(u.customer_id, unit_consent.purpose)
           AND CASE WHEN n.node_id IS NULL THEN true
                    WHEN unit_consent.purpose = 'support' THEN n.consent_support
                    WHEN unit_consent.purpose = 'advice' THEN n.consent_advice
                    WHEN unit_consent.purpose = 'sales' THEN n.consent_sales
                    ELSE false END
          FROM fleet.units u LEFT JOIN fleet.nodes n USING (node_id)
         WHERE u.unit_id = unit_consent.unit_id), false)
$$;
COMMENT ON FUNCTION fleet.unit_consent(bigint, text) IS 'Consent in force for a unit: what the hub''s copy and the node''s copy both grant';

CREATE FUNCTION fleet.acting_customer() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT p.customer_id FROM fleet.people p WHERE p.person_id = fleet.acting_person() AND p.role = 'customer' $$;
COMMENT ON FUNCTION fleet.acting_customer() IS 'The customer for whom the acting person speaks; NULL where that is none';

CREATE FUNCTION fleet.visible_customers() RETURNS SETOF bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.customer_id
      FROM fleet.people p
      JOIN fleet.customers c
        ON (p.role = 'customer' AND c.customer_id = p.customer_id)
        OR (p.role = 'sales' AND (p.territory_id IS NULL OR p.territory_id = c.territory_id)
            AND (SELECT s.granted FROM fleet.consents s WHERE s.customer_id = c.customer_id AND s.purpose = 'sales'
                  ORDER BY s.consent_id DESC LIMIT 1))
     WHERE p.person_id = fleet.acting_person()
$$;
COMMENT ON FUNCTION fleet.visible_customers() IS 'Customers that the acting person sees, for persons who do not see all';

CREATE FUNCTION fleet.visible_units() RETURNS SETOF bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.unit_id
      FROM fleet.people p
      JOIN fleet.units u ON u.customer_id IN (SELECT fleet.visible_customers())
      LEFT JOIN fleet.nodes n USING (node_id)
     WHERE p.person_id = fleet.acting_person()
       AND (p.role = 'customer' OR n.node_id IS NULL OR n.consent_sales)
$$;
COMMENT ON FUNCTION fleet.visible_units() IS 'Units that the acting person sees, for persons who do not see all. A representative sees a unit only while the sales purpose is granted by both sides';

CREATE FUNCTION fleet.visible_components() RETURNS SETOF bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT c.component_id FROM fleet.components c WHERE c.unit_id IN (SELECT fleet.visible_units()) $$;
COMMENT ON FUNCTION fleet.visible_components() IS 'Components of the units that the acting person sees';

CREATE FUNCTION fleet.visible_offers() RETURNS SETOF bigint
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.offer_id
      FROM fleet.people p
      JOIN fleet.offers o ON o.customer_id IN (SELECT fleet.visible_customers())
     WHERE p.person_id = fleet.acting_person()
       AND CASE p.role
           WHEN 'customer' THEN EXISTS (SELECT FROM fleet.offer_events e
                                         WHERE e.offer_id = o.offer_id AND e.to_state = 'sent')
           ELSE NOT EXISTS (SELECT FROM fleet.offer_items i
                             WHERE i.offer_id = o.offer_id AND i.unit_id NOT IN (SELECT fleet.visible_units())) END
$$;
COMMENT ON FUNCTION fleet.visible_offers() IS 'Offers that the acting person sees: a representative those whose units all are visible, a customer those that were sent';

CREATE FUNCTION fleet.person_for_sign_in(email text)
RETURNS TABLE (person_id bigint, name text, role text, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.person_id, p.name, p.role, p.password_hash FROM fleet.people p
     WHERE lower(p.email) = lower(person_for_sign_in.email) AND NOT p.disabled AND fleet.is_service()
$$;
COMMENT ON FUNCTION fleet.person_for_sign_in(text) IS 'What the web service needs to check a password, before anybody is signed in; nothing for any other role';

CREATE FUNCTION fleet.person_of_session(token_sha256 bytea, now timestamptz, idle interval, age interval, awake boolean)
RETURNS TABLE (person_id bigint, name text, role text, territory_id bigint, customer_id bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH session AS (
        UPDATE fleet.sessions s
           SET seen_at = CASE WHEN person_of_session.awake THEN person_of_session.now ELSE s.seen_at END
         WHERE s.token_sha256 = person_of_session.token_sha256 AND fleet.is_service()
           AND s.seen_at > person_of_session.now - person_of_session.idle
           AND s.made_at > person_of_session.now - person_of_session.age
        RETURNING s.person_id)
    SELECT p.person_id, p.name, p.role, p.territory_id, p.customer_id
      FROM session JOIN fleet.people p USING (person_id) WHERE NOT p.disabled
$$;
COMMENT ON FUNCTION fleet.person_of_session(bytea, timestamptz, interval, interval, boolean) IS 'Who a session belongs to while it is neither idle nor old; notes that it was used, where the person and not the page''s refresh asked';

-- Row-level security on every table that holds something of a customer.
DO $policies$
DECLARE
    entry record;
BEGIN
    FOR entry IN SELECT * FROM (VALUES
        ('customers', 'customer_id IN (SELECT fleet.visible_customers())'),
        ('consents', 'customer_id IN (SELECT fleet.visible_customers())'),
        ('units', 'unit_id IN (SELECT fleet.visible_units())'),
        ('unit_events', 'unit_id IN (SELECT fleet.visible_units())'),
        ('components', 'unit_id IN (SELECT fleet.visible_units())'),
        ('component_providers', 'component_id IN (SELECT fleet.visible_components())'),
        ('identities', 'unit_id IN (SELECT fleet.visible_units())'),
        ('absences', 'component_id IN (SELECT fleet.visible_components())'),
        ('status', 'component_id IN (SELECT fleet.visible_components())'),
        ('forecasts', 'component_id IN (SELECT fleet.visible_components())'),
        ('backtests', 'component_id IN (SELECT fleet.visible_components())'),
        ('plans', 'unit_id IN (SELECT fleet.visible_units())'),
        ('plan_items', 'plan_id IN (SELECT p.plan_id FROM fleet.plans p)'),
        ('nodes', 'node_id IN (SELECT u.node_id FROM fleet.units u)'),
        ('offers', 'offer_id IN (SELECT fleet.visible_offers())'),
        ('offer_items', 'offer_id IN (SELECT fleet.visible_offers())'),
        ('offer_events', 'offer_id IN (SELECT fleet.visible_offers())'),
        ('audit_log', 'customer_id = (SELECT fleet.acting_customer())'),
        ('people', 'person_id = (SELECT fleet.acting_person())'),
        ('sessions', 'false'), ('outbox', 'false'), ('enrolment_tokens', 'false'), ('acknowledged_ranges', 'false'),
        ('node_lives', 'false'),
        ('set_aside', 'false'), ('jobs', 'false'), ('job_runs', 'false')
    ) AS t (relation, condition) LOOP
        EXECUTE format('ALTER TABLE fleet.%I ENABLE ROW LEVEL SECURITY', entry.relation);
        EXECUTE format('CREATE POLICY seen ON fleet.%I FOR SELECT USING ((SELECT fleet.sees_all()) OR %s)',
                       entry.relation, entry.condition);
        EXECUTE format('CREATE POLICY changed ON fleet.%I USING ((SELECT fleet.may_change())) WITH CHECK ((SELECT fleet.may_change()))',
                       entry.relation);
    END LOOP;
END
$policies$;
-- A representative moves the offers that are theirs, a customer answers what was sent; what may follow what is refused
-- by a trigger of the next migration.
CREATE POLICY moved ON fleet.offers FOR UPDATE
    USING (offer_id IN (SELECT fleet.visible_offers()) AND (SELECT fleet.acting_customer()) IS NULL);
CREATE POLICY answered ON fleet.offers FOR UPDATE
    USING (customer_id = (SELECT fleet.acting_customer()) AND state = 'sent')
    WITH CHECK (customer_id = (SELECT fleet.acting_customer()) AND state IN ('accepted', 'declined'));
CREATE POLICY noted ON fleet.offer_events FOR INSERT WITH CHECK (offer_id IN (SELECT fleet.visible_offers()));
CREATE POLICY queued ON fleet.outbox FOR INSERT
    WITH CHECK (offer_id IN (SELECT fleet.visible_offers()) AND (SELECT fleet.acting_customer()) IS NULL);
-- A customer decides about their own consent.
CREATE POLICY decided ON fleet.consents FOR INSERT
    WITH CHECK (customer_id = (SELECT fleet.acting_customer()));
-- The web service makes and ends sessions before and after somebody is signed in.
CREATE POLICY signed_in ON fleet.sessions FOR INSERT WITH CHECK ((SELECT fleet.is_service()));
CREATE POLICY signed_out ON fleet.sessions FOR DELETE USING ((SELECT fleet.is_service()));
CREATE POLICY signing_out ON fleet.sessions FOR SELECT USING ((SELECT fleet.is_service()));

GRANT SELECT ON ALL TABLES IN SCHEMA fleet TO headroom_service, headroom_admin, headroom_intake;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA fleet TO headroom_service, headroom_admin;
-- What was consented to when, and what was done by whom, is added to and never changed.
REVOKE UPDATE, DELETE ON fleet.consents, fleet.audit_log FROM headroom_service, headroom_admin;
GRANT INSERT, UPDATE, DELETE ON fleet.nodes, fleet.units, fleet.unit_events, fleet.components, fleet.component_providers,
    fleet.identities, fleet.absences, fleet.status, fleet.acknowledged_ranges, fleet.node_lives,
    fleet.set_aside TO headroom_intake;
GRANT SELECT ON fleet.territories, fleet.products, fleet.customers, fleet.consents, fleet.units, fleet.unit_events,
    fleet.components, fleet.component_providers, fleet.identities, fleet.absences, fleet.status, fleet.forecast_runs,
    fleet.forecasts, fleet.backtests, fleet.plans, fleet.plan_items, fleet.offers, fleet.offer_items,
    fleet.offer_events, fleet.notices TO headroom_sales, headroom_customer;
-- An analyst reads what is measured and forecast, and no person's name or address.
GRANT SELECT ON fleet.territories, fleet.products, fleet.units, fleet.components, fleet.component_providers,
    fleet.absences, fleet.status, fleet.forecast_runs, fleet.forecasts, fleet.backtests, fleet.plans, fleet.plan_items,
    fleet.notices TO headroom_reader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA fleet FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fleet.is_service(), fleet.acting_person(), fleet.acting_customer(), fleet.sees_all(),
    fleet.may_change(), fleet.visible_customers(), fleet.visible_units(), fleet.visible_components(),
    fleet.visible_offers()
    TO headroom_service, headroom_admin, headroom_intake, headroom_sales, headroom_customer, headroom_reader;
GRANT EXECUTE ON FUNCTION fleet.consent(bigint, text), fleet.unit_consent(bigint, text)
    TO headroom_service, headroom_admin, headroom_intake;
GRANT EXECUTE ON FUNCTION fleet.person_for_sign_in(text),
    fleet.person_of_session(bytea, timestamptz, interval, interval, boolean) TO headroom_service;
