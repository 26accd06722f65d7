-- Prefect's own database beside ours: both histories keep a version table, so they never share one.
CREATE DATABASE prefect OWNER wharf;
