//! `ALTER EXTENSION headroom UPDATE` from every version that was released: what it leaves is what a fresh installation has,
//! and the tables that were made before it go on. Blocks that a released version wrote stay readable for ever.

use std::{fs, path::Path};

use headroom_tests::cluster::{Cluster, READINGS};

/// Versions that were released, by their frozen install scripts.
fn released() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pg_extension/sql");
    let mut versions: Vec<String> = fs::read_dir(&folder)
        .expect("the folder of scripts is there")
        .filter_map(|entry| {
            let name =
                entry.expect("the folder can be read").file_name().into_string().expect("names are text");
            let version = name.strip_prefix("headroom--")?.strip_suffix(".sql")?;
            (!version.contains("--")).then(|| version.to_owned())
        })
        .collect();
    versions.sort();
    versions
}

/// A view over functions of the extension, which must go on beside [`READINGS`].
const DAILY: &str = "create view daily as select device, headroom.time_bucket('1 day', at) as day, headroom.last(value, at) as value,
    (headroom.exhaustion(at, value, 1e6)).state as state from readings group by 1, 2;";

/// What the library makes otherwise than version 0.1.0 did: its tables of blocks have no rollups and no last rows.
const AS_BEFORE: &str = "alter table readings_blocks drop column rollup, drop column last_row;
    create index on readings_blocks (segment, last_time desc, first_time);
    select headroom.unseal('readings'); select headroom.seal('readings', timestamptz '2026-03-01');";

/// Everything about its rows in one line.
const DIGEST: &str = "select (select count(*) || ' ' || sum(hashtextextended(r::text, 7)::numeric) from readings r),
    (select sum(hashtextextended(d::text, 7)::numeric) from daily d), (select count(*) from headroom.job_stats)";

/// Every object of the extension with all that tells it from another, a line each.
const MEMBERS: &str = r"
with members as (
    select d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) as name from pg_depend d
    join pg_extension e on d.refobjid = e.oid and d.refclassid = 'pg_extension'::regclass
    where e.extname = 'headroom' and d.deptype = 'e')
select m.name || ' | ' || coalesce(obj_description(m.objid, (select relname::name from pg_class where oid = m.classid)), 'no comment')
    || ' | ' || case m.classid
        when 'pg_proc'::regclass then
            (select case when prokind = 'a' then (select a::text from (select aggkind, aggnumdirectargs, aggtransfn, aggfinalfn,
                    aggcombinefn, aggserialfn, aggdeserialfn, aggtranstype::regtype, aggtransspace, agginitval, proparallel)  a)
                else pg_get_functiondef(p.oid) end || coalesce(proacl::text, '')
             from pg_proc p left join pg_aggregate g on g.aggfnoid = p.oid where p.oid = m.objid)
        when 'pg_class'::regclass then
            (select concat_ws(' ', relkind, relpersistence, coalesce(relacl::text, ''), reloptions::text,
                    (select string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
                            pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)), '; ' order by attname)
                       from pg_attribute a left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
                      where a.attrelid = c.oid and attnum > 0 and not attisdropped),
                    (select string_agg(conname || ' ' || pg_get_constraintdef(o.oid), '; ' order by conname) from pg_constraint o where conrelid = c.oid),
                    (select string_agg(indexrelid::regclass || ' ' || pg_get_indexdef(indexrelid), '; ' order by indexrelid::regclass::text)
                       from pg_index where indrelid = c.oid),
                    (select string_agg(pg_get_triggerdef(t.oid), '; ' order by tgname) from pg_trigger t where tgrelid = c.oid and not tgisinternal),
                    case when relkind = 'v' then pg_get_viewdef(c.oid) end)
             from pg_class c where c.oid = m.objid)
        when 'pg_type'::regclass then (select concat_ws(' ', typtype, typlen, typbyval, typalign, typstorage, typinput, typoutput) from pg_type where oid = m.objid)
        when 'pg_event_trigger'::regclass then (select concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags::text) from pg_event_trigger where oid = m.objid)
        when 'pg_operator'::regclass then (select concat_ws(' ', oprcode, oprrest, oprjoin, oprcom, oprnegate) from pg_operator where oid = m.objid)
        else '' end
from members m
union all
select 'dumped ' || c::regclass || ' ' || w from pg_extension, unnest(extconfig, extcondition) as u (c, w) where extname = 'headroom'
order by 1";

#[test]
fn an_update_leaves_what_a_fresh_installation_has() {
    let cluster = Cluster::start();
    cluster.database("fresh");
    let members = cluster.psql("fresh", MEMBERS);
    assert!(members.lines().count() > 50, "{members}");
    let current = cluster.psql("fresh", "select extversion from pg_extension where extname = 'headroom'");
    let released = released();
    assert!(!released.is_empty(), "there is no released version to come from");
    for version in released {
        let database = format!("from_{version}");
        cluster.psql("postgres", &format!("create database \"{database}\""));
        cluster.psql(
            &database,
            &format!("create extension headroom version '{version}'; {READINGS} {DAILY} {AS_BEFORE}"),
        );
        let digest = cluster.psql(&database, DIGEST);
        assert!(digest.starts_with("21001 "), "{version}: {digest}");
        assert_eq!(
            cluster.psql(&database, "alter extension headroom update; select extversion from pg_extension where extname = 'headroom'"),
            current,
            "from {version}"
        );
        let updated = cluster.psql(&database, MEMBERS);
        for (what, wanted, found) in [("lacks", &members, &updated), ("has in excess", &updated, &members)] {
            let missing: Vec<&str> =
                wanted.lines().filter(|line| !found.lines().any(|l| l == *line)).collect();
            assert!(
                missing.is_empty(),
                "updated from {version}, the extension {what}:\n{}",
                missing.join("\n")
            );
        }
        assert_eq!(cluster.psql(&database, DIGEST), digest, "from {version}");
        let rolled = "select headroom.unseal('readings'), headroom.seal('readings', timestamptz '2026-03-01'); select count(*) from readings_blocks where rollup <> '' and last_row <> ''
            and (select count(*) from pg_index where indrelid = 'readings_blocks'::regclass and pg_get_indexdef(indexrelid) like '%last_time DESC, first_time) INCLUDE (last_row)') = 1
            and (select count(*) from pg_index where indrelid = 'readings_blocks'::regclass) = 3";
        assert_eq!(cluster.psql(&database, rolled).lines().last(), Some("7"), "from {version}");
        assert_eq!(cluster.psql(&database, DIGEST), digest, "from {version}");
        let on = "insert into readings values ('2026-02-01 00:00:01', 3, -2, 'later') on conflict (device, at) do update set value = excluded.value;
                  select headroom.seal('readings'); select count(*), min(value) from readings; select headroom.unseal('readings')";
        assert_eq!(cluster.psql(&database, on).lines().last(), Some("21001"), "from {version}");
    }
}

/// A server whose library was replaced goes on with the SQL of before until the administrator updates it.
#[test]
fn the_library_serves_the_sql_of_a_released_version() {
    let cluster = Cluster::start();
    for version in released() {
        let database = format!("old_{version}");
        cluster.psql("postgres", &format!("create database \"{database}\""));
        cluster.psql(
            &database,
            &format!("create extension headroom version '{version}'; {READINGS} {DAILY} {AS_BEFORE}"),
        );
        let shown = "select headroom.unseal('readings'), (select count(*) from readings); select headroom.seal('readings');
            select count(*) from headroom.show_blocks('readings') having count(*) > 0;
            select count(*) from headroom.daily_arrays('readings', null::bigint[], array['value'], array['max'], array[null])";
        let told = cluster.try_psql(&database, shown);
        assert!(told.is_ok(), "{version}: {told:?}");
    }
}

/// Every column type that has a codec of its own, and one that has none.
const EVERY_TYPE: &str = "
create table readings (
    at timestamptz not null, device bigint not null, used bigint, busy float4, load float8, hot smallint,
    wear int, ok boolean, note text, boot uuid, extra jsonb, price numeric(12, 3), unique (at, device));
insert into readings
select t, d, case when n % 7 <> 0 then 4096 * (n + d) end, (n % 1000) / 100.0::float4, n / 3.0::float8,
    n % 90, n / 100, n % 5 <> 0, case n % 3 when 0 then 'a' when 1 then 'ünt' end,
    md5((n / 500)::text)::uuid, jsonb_build_object('n', n % 4), (n % 77) / 8.0
from generate_series(1, 3) d,
    generate_series(timestamptz '2026-01-01 00:00+00', '2026-01-05 00:00+00', '10 minutes') with ordinality s(t, n);
create table plain as table readings;
select headroom.create_hypertable('readings', 'at', 'device'); select headroom.seal('readings')";

/// `tests/fixtures/blocks/VERSION.copy` is the table of blocks that a released version made of [`EVERY_TYPE`].
#[test]
fn blocks_of_every_released_version_are_read() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", EVERY_TYPE);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/blocks");
    for version in released() {
        let blocks = fs::read_to_string(folder.join(format!("{version}.copy")))
            .unwrap_or_else(|error| panic!("there are no blocks of {version}: {error}"));
        cluster.psql(
            "db",
            &format!("delete from readings_blocks;\ncopy readings_blocks (segment, first_time, last_time, row_count, directory, payload) from stdin;\n{blocks}\\.\n"),
        );
        for question in [
            "(table readings except all table plain) union all (table plain except all table readings)",
            "select 1 from (select device, count(*), sum(used), max(load), min(hot), max(busy) from readings group by 1
               except select device, count(*), sum(used), max(load), min(hot), max(busy) from plain group by 1) d",
            "select 1 from headroom.daily_arrays('readings', null::bigint[], array['used'], array['max'], array[null]) d
               where d.value is distinct from (select array_agg(m::float8 order by day) from
                 (select headroom.time_bucket('1 day', at) as day, max(used) as m from plain where device = d.segment group by 1) m)",
            "(select device, max(at) from readings group by 1) except (select device, max(at) from plain group by 1)",
        ] {
            assert_eq!(cluster.psql("db", &format!("select count(*) from ({question}) d")), "0", "{version}: {question}");
        }
        assert_eq!(cluster.psql("db", "select count(*) from readings"), "1731", "{version}");
    }
}
