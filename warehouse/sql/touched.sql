-- Known orders whose ledger may have to move.
CREATE TEMP TABLE t_touched ON COMMIT DROP AS
SELECT DISTINCT order_id
FROM (
    {touched}
) t
