-- Who is acting is asked by every policy of every statement. PostgreSQL plans the body of an SQL function anew each time
-- that a statement calls it, and keeps the plans of PL/pgSQL for the session: what these functions answer is the same as
-- before, at a fraction of the time.

CREATE OR REPLACE FUNCTION fleet.is_service() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN pg_has_role(session_user, 'headroom_service', 'MEMBER')
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user);
END
$$;

CREATE OR REPLACE FUNCTION fleet.acting_person() RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF fleet.is_service() THEN
        RETURN (SELECT p.person_id FROM fleet.people p
                 WHERE NOT p.disabled AND p.person_id::text = current_setting('fleet.person', true));
    END IF;
    RETURN (SELECT p.person_id FROM fleet.people p WHERE NOT p.disabled AND p.database_role = session_user);
END
$$;

CREATE OR REPLACE FUNCTION fleet.sees_all() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    service boolean := fleet.is_service();
BEGIN
    IF service AND coalesce(current_setting('fleet.person', true), '') = '' THEN
        RETURN (current_setting('fleet.task', true) = 'service') IS TRUE;
    END IF;
    IF NOT service AND (pg_has_role(session_user, 'headroom_admin', 'MEMBER')
                        OR pg_has_role(session_user, 'headroom_intake', 'MEMBER')
                        OR pg_has_role(session_user, 'headroom_reader', 'MEMBER')) THEN
        RETURN true;
    END IF;
    RETURN EXISTS (SELECT FROM fleet.people p
                    WHERE p.person_id = fleet.acting_person() AND p.role IN ('admin', 'reader'));
END
$$;

CREATE OR REPLACE FUNCTION fleet.may_change() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT fleet.is_service() THEN
        RETURN pg_has_role(session_user, 'headroom_admin', 'MEMBER')
            OR pg_has_role(session_user, 'headroom_intake', 'MEMBER');
    END IF;
    IF coalesce(current_setting('fleet.person', true), '') = '' THEN
        RETURN (current_setting('fleet.task', true) = 'service') IS TRUE;
    END IF;
    RETURN EXISTS (SELECT FROM fleet.people p WHERE p.person_id = fleet.acting_person() AND p.role = 'admin');
END
$$;

CREATE OR REPLACE FUNCTION fleet.acting_customer() RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT p.customer_id FROM fleet.people p
             WHERE p.person_id = fleet.acting_person() AND p.role = 'customer');
END
$$;
