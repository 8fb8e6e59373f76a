//! Refuses a role with too much power: row-level security binds neither superusers, nor owners, nor who may bypass it.

use anyhow::Context as _;
use tokio_postgres::GenericClient;

use crate::failure::Failure;

const POWERS: &str = "
    select r.rolname::text, r.rolsuper, r.rolbypassrls,
        (select string_agg(distinct c.relname, ', ' order by c.relname)
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'fleet' and c.relkind in ('r', 'p', 'f', 'v', 'm')
            and pg_has_role(current_user, c.relowner, 'MEMBER'))
      from pg_roles r where r.rolname = current_user";

/// Checks the role that this connection has.
pub(crate) async fn check(client: &impl GenericClient) -> anyhow::Result<()> {
    let row = client.query_one(POWERS, &[]).await.context("cannot read the powers of the service's role")?;
    let name: String = row.get(0);
    let refused = |what: &str| {
        Err(Failure::Permission(format!(
            "the role {name} {what}, so row-level security would not bind it: \
             set database.url to a role such as headroom_service that does not"
        ))
        .into())
    };
    if row.get::<_, bool>(1) {
        return refused("is a superuser");
    }
    if row.get::<_, bool>(2) {
        return refused("may bypass row-level security");
    }
    match row.get::<_, Option<String>>(3) {
        Some(tables) => {
            let some: String = tables.chars().take(80).collect();
            refused(&format!("owns tables of the schema fleet ({some})"))
        }
        None => Ok(()),
    }
}
