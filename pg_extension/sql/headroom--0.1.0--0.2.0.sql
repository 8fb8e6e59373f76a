-- ALTER EXTENSION headroom UPDATE TO '0.2.0'
\echo Use "ALTER EXTENSION headroom UPDATE" to run this file. \quit
