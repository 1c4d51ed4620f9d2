-- The first site has been given its number: those that follow are numbered after it.
SELECT setval(pg_get_serial_sequence('core_site', 'id'), (SELECT max(id) FROM core_site))
