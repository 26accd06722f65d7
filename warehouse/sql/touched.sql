-- Orders whose ledger may have to move. Those never seen before have no events to compare with.
CREATE TEMP TABLE t_touched ON COMMIT DROP AS
SELECT order_id, bool_and(is_new) AS is_new
FROM (
    {touched}
) t (order_id, is_new)
GROUP BY order_id
