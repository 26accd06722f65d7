-- The sales ledger by month: core.sales_events, the largest table the marts read, split by the day of the order.
-- PostgreSQL 17 or newer, once, with no `wharf` running; it copies the table, so twice its size must be free:
--
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 --single-transaction -f docs/partition-ledger.sql
--
-- Nothing else changes: loads, marts, `wharf migrate` and backups work as before. Afterwards a month is one table to
-- vacuum, move to slower storage or detach, and a publication reads only the months it replaces. Months are made ten
-- years ahead, in the schema `months`; what lies outside them is kept in months.sales_events_other.
LOCK TABLE core.sales_events IN ACCESS EXCLUSIVE MODE;

CREATE SCHEMA months;
ALTER TABLE core.sales_events RENAME TO sales_events_whole;
ALTER TABLE core.sales_events_whole DROP CONSTRAINT pk_sales_events;
DROP INDEX core.ix_sales_events_order_date, core.ix_sales_events_happened_date;

CREATE TABLE core.sales_events (
    LIKE core.sales_events_whole INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING CONSTRAINTS INCLUDING COMMENTS
) PARTITION BY RANGE (order_date);

DO $$
DECLARE
    month date := date_trunc('month', coalesce((SELECT min(order_date) FROM core.sales_events_whole), current_date));
BEGIN
    WHILE month < current_date + interval '10 years' LOOP
        EXECUTE format(
            'CREATE TABLE months.%I PARTITION OF core.sales_events FOR VALUES FROM (%L) TO (%L)',
            'sales_events_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month'
        );
        month := month + interval '1 month';
    END LOOP;
    CREATE TABLE months.sales_events_other PARTITION OF core.sales_events DEFAULT;
    EXECUTE format(
        'COMMENT ON TABLE core.sales_events IS %L', obj_description('core.sales_events_whole'::regclass)
    );
END $$;

INSERT INTO core.sales_events OVERRIDING SYSTEM VALUE SELECT * FROM core.sales_events_whole ORDER BY order_id, id;
SELECT setval(
    pg_get_serial_sequence('core.sales_events', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM core.sales_events), false
);

ALTER TABLE core.sales_events ADD CONSTRAINT pk_sales_events PRIMARY KEY (order_id, id, order_date);
CREATE INDEX ix_sales_events_order_date ON core.sales_events USING brin (order_date) WITH (pages_per_range = 16);
CREATE INDEX ix_sales_events_happened_date ON core.sales_events USING brin (happened_date) WITH (pages_per_range = 16);

-- Who may read or write the table may go on doing so.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT grantee, privilege_type FROM information_schema.role_table_grants
        WHERE table_schema = 'core' AND table_name = 'sales_events_whole' AND grantee <> grantor
    LOOP
        EXECUTE format(
            'GRANT %s ON core.sales_events TO %s', granted.privilege_type,
            CASE granted.grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(granted.grantee) END
        );
    END LOOP;
END $$;

DROP TABLE core.sales_events_whole;
