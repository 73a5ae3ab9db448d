-- Whether feedback is kept at all; from the system tables, no data is read.
SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'feedback'
