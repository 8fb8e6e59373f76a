//! Relations, opened for as long as a value of [`Open`] lives. Locks stay until the transaction ends.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::error::{Error, Kind, Result};

/// An open relation.
pub(crate) struct Open {
    relation: pg_sys::Relation,
}

impl Open {
    /// Opens a relation under a lock of this strength (a `LOCKMODE`; `NoLock` when it is locked already).
    pub(crate) fn with(oid: pg_sys::Oid, lock: u32) -> Self {
        // SAFETY: the server raises an error for an identifier that is no relation.
        Self { relation: unsafe { pg_sys::relation_open(oid, lock as pg_sys::LOCKMODE) } }
    }

    /// The server's own pointer, good while this value lives.
    pub(crate) fn as_ptr(&self) -> pg_sys::Relation {
        self.relation
    }

    /// Its identifier.
    pub(crate) fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_id }
    }

    /// Who owns it.
    pub(crate) fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*(*self.relation).rd_rel).relowner }
    }

    /// Its columns as the server holds them, dropped ones included.
    pub(crate) fn attributes(&self) -> &[pg_sys::FormData_pg_attribute] {
        // SAFETY: the relation is open, and its descriptor has natts attributes.
        unsafe {
            let descriptor = (*self.relation).rd_att;
            (*descriptor).attrs.as_slice((*descriptor).natts as usize)
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: opened by us and closed once: a transaction that is being undone has closed it already.
        unsafe {
            if pg_sys::IsTransactionState() {
                pg_sys::relation_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
            }
        }
    }
}

/// The name of a relation as SQL writes it, with its schema; its number when it is gone.
pub(crate) fn name(oid: pg_sys::Oid) -> String {
    // SAFETY: look-ups in the server's caches; the strings are copied at once.
    unsafe {
        let name = pg_sys::get_rel_name(oid);
        if name.is_null() {
            return format!("relation {}", oid.to_u32());
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(oid));
        let quoted = pg_sys::quote_qualified_identifier(schema, name);
        CStr::from_ptr(quoted).to_string_lossy().into_owned()
    }
}

/// Who owns a relation.
pub(crate) fn owner(oid: pg_sys::Oid) -> pg_sys::Oid {
    Open::with(oid, pg_sys::AccessShareLock).owner()
}

/// Whether there is such a relation.
pub(crate) fn exists(oid: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the server's caches.
    unsafe { !pg_sys::get_rel_name(oid).is_null() }
}

/// The relation of this name in headroom's own schema.
pub(crate) fn own(name: &CStr) -> Result<pg_sys::Oid> {
    // SAFETY: look-ups in the server's caches.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(c"headroom".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    if found == pg_sys::InvalidOid {
        return Err(Error::new(
            Kind::Undefined,
            format!("headroom's own relation headroom.{} is missing", name.to_string_lossy()),
        )
        .hint("CREATE EXTENSION headroom;"));
    }
    Ok(found)
}

/// The text of an attribute's name.
pub(crate) fn text_of(name: &pg_sys::NameData) -> String {
    // SAFETY: a NameData ends in a zero.
    unsafe { CStr::from_ptr(name.data.as_ptr()) }.to_string_lossy().into_owned()
}
