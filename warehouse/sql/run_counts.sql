UPDATE ops.runs
SET rows_read = rows_read + :read, rows_inserted = rows_inserted + :inserted,
    rows_updated = rows_updated + :updated, rows_unchanged = rows_unchanged + :unchanged,
    rows_quarantined = rows_quarantined + :quarantined, heartbeat_at = clock_timestamp()
WHERE id = :run_id
