//! SQL functions that work on anybody's tables and values.
