//! Jobs in PostgreSQL.
