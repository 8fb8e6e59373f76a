//! Tests of the whole system. This library holds what they share: the throw-away PostgreSQL cluster.
