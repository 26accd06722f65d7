"""What a passwordless analyst can do: read `analytics`, and nothing else, however it is put."""

from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest

from tests.local_factories import Wire


@pytest.fixture(scope="module")
def owner(clickhouse: str) -> Wire:
    wire = Wire(clickhouse)
    wire.send("CREATE TABLE analytics.sales (id Int64, sku String) ENGINE = MergeTree ORDER BY id")
    wire.send("INSERT INTO analytics.sales VALUES (1, 'a'), (2, 'b')")
    wire.send("CREATE TABLE IF NOT EXISTS default.private (id Int64) ENGINE = MergeTree ORDER BY id")
    return wire


@pytest.fixture
def analyst(owner: Wire) -> Wire:
    return Wire(f"http://127.0.0.1:{owner.port}", analyst=True)


@pytest.fixture
def untouched(owner: Wire) -> Iterator[None]:
    """The data is the same after as before."""
    yield
    assert owner.send("SELECT count() FROM analytics.sales").text == "2\n"
    assert (
        owner.send("SELECT count() FROM system.tables WHERE database IN ('analytics', 'default')").text
        == "2\n"
    )


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT count() FROM sales", "2"),
        ("SELECT sum(id) FROM analytics.sales WHERE sku IN ('a', 'b')", "3"),
        ("WITH x AS (SELECT id FROM sales) SELECT max(id) FROM x", "2"),
        ("SHOW TABLES", "sales"),
        ("SELECT name FROM system.tables WHERE database = 'analytics'", "sales"),
        ("SELECT column_name FROM information_schema.columns WHERE table_name = 'sales' LIMIT 1", "id"),
        ("SELECT 'system.users', 'file(1)'", "system.users\tfile(1)"),
        ("SELECT sum(number) FROM numbers(4)", "6"),
        ("SELECT currentDatabase(), getSetting('readonly')", "analytics\t1"),
        ("EXISTS TABLE sales", "1"),
    ],
)
def test_reading_works(analyst: Wire, query: str, answer: str) -> None:
    assert analyst.send(query).text.strip() == answer


def test_clickhouse_connect_works_without_a_password(analyst: Wire) -> None:
    client = clickhouse_connect.get_client(host="127.0.0.1", port=analyst.port)

    assert client.query("SELECT id, sku FROM sales ORDER BY id").result_rows == [(1, "a"), (2, "b")]
    assert client.query(
        "SELECT count() FROM sales WHERE sku = {s:String}", parameters={"s": "system"}
    ).first_row == (0,)
    client.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO sales VALUES (3, 'c')",
        "CREATE TABLE other (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE other (a Int8)",
        "DROP TABLE sales",
        "TRUNCATE TABLE sales",
        "ALTER TABLE sales DELETE WHERE 1",
        "OPTIMIZE TABLE sales",
        "DETACH TABLE sales",
        "RENAME TABLE sales TO sold",
        "SYSTEM FLUSH LOGS",
        "KILL QUERY WHERE 1",
        "SET max_threads = 1",
        "SET ROLE owner",
        "SET ROLE ALL",
        "USE system",
        "GRANT ALL ON *.* TO default",
        "CREATE FUNCTION f AS x -> file(x)",
        "BACKUP DATABASE analytics TO Disk('a', 'b')",
        "SELECT 1; DROP TABLE sales",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT * FROM default.private",
        "CHECK TABLE sales",
    ],
)
@pytest.mark.usefixtures("untouched")
def test_nothing_is_changed(analyst: Wire, statement: str) -> None:
    assert analyst.send(statement).code in (62, 164, 497)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT file('{}')",
        "SELECT `f\\x69le`('{}')",
        "SELECT * APPLY(file) FROM (SELECT '{}')",
        "SELECT * APPLY `f\\x69le` FROM (SELECT '{}')",
        "SELECT arrayMap(file, ['{}'])",
        "SELECT (SELECT file('{}'))",
        "SELECT * FROM file('{}', 'LineAsString')",
        "DESCRIBE TABLE file('{}')",
        "SELECT * FROM eval('SELECT file(''{}'')')",
        "SELECT * FROM sales WHERE sku IN (SELECT file('{}'))",
        "SELECT 1 /* */ UNION ALL SELECT length(file('{}'))",
        "EXPLAIN SELECT file('{}')",
        "SELECT * FROM view(SELECT file('{}'))",
        "SELECT * FROM executable('cat {}', 'LineAsString', 'a String')",
        "SELECT * FROM url('file://{}', 'LineAsString')",
        "SELECT * FROM sqlite('{}', 'x')",
    ],
)
def test_no_file_is_read(analyst: Wire, tmp_path: Path, query: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame")

    reply = analyst.send(query.replace("{}", str(secret)))

    assert reply.code in (62, 164, 497)
    assert "sesame" not in reply.text


def test_no_file_is_written(analyst: Wire, tmp_path: Path) -> None:
    for query in (
        f"SELECT 1 INTO OUTFILE '{tmp_path}/out'",
        f"SELECT 1 INTO/**/OUTFILE '{tmp_path}/out' FORMAT CSV",
        f"INSERT INTO FUNCTION file('{tmp_path}/out', 'CSV') SELECT 1",
    ):
        assert analyst.send(query).code in (48, 164)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM url('http://127.0.0.1:{}/', 'LineAsString')",
        "DESCRIBE TABLE url('http://127.0.0.1:{}/')",
        "SELECT * FROM s3('http://127.0.0.1:{}/b/k', 'CSV', 'a String')",
        "SELECT * FROM postgresql('127.0.0.1:{}', 'a', 'b', 'c', 'd')",
        "SELECT * FROM remote('127.0.0.1:{}', system.one)",
        "SELECT * FROM mysql('127.0.0.1:{}', 'a', 'b', 'c', 'd')",
        "SELECT * FROM Python(server)",
        "SELECT aiGenerate('x')",
    ],
)
def test_nobody_is_called(analyst: Wire, query: str) -> None:
    assert analyst.send(query.format(analyst.port)).code in (164, 497)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM system.processes",
        "SELECT * FROM `system`.`processes`",
        'SELECT * FROM "system"."query_log"',
        "SELECT * FROM system.users",
        "SELECT * FROM sales WHERE sku IN system.processes",
        "SELECT * FROM merge('system', 'processes')",
        "SELECT * FROM view(SELECT * FROM system.processes)",
        "SHOW PROCESSLIST",
        "SHOW USERS",
        "SHOW GRANTS",
    ],
)
def test_what_others_do_stays_theirs(analyst: Wire, query: str) -> None:
    assert analyst.send(query).code == 497


def test_a_parameter_does_not_lead_around_the_guard(analyst: Wire) -> None:
    for table in ("system.processes", "\\x73ystem.processes", "SYSTEM.processes"):
        assert analyst.send("SELECT * FROM {t:Identifier}", param_t=table).code == 497
    assert analyst.send("SELECT * FROM {d:Identifier}.processes", param_d="system").code == 497
    assert analyst.send("SELECT count() FROM {t:Identifier}", param_t="sales").text == "2\n"


def test_limits_can_be_lowered_not_raised(analyst: Wire) -> None:
    query = "SELECT getSetting('max_execution_time'), getSetting('max_result_rows'), getSetting('readonly')"
    assert analyst.send(query, max_execution_time="5").text == "5\t1000000\t1\n"
    assert (
        analyst.send(query, max_execution_time="0", max_result_rows="0", readonly="0").text
        == "60\t1000000\t1\n"
    )
    assert analyst.send("SELECT number FROM numbers(1500000)").code == 396
    assert analyst.send("SELECT sum(number) FROM numbers(1e12)", max_execution_time="0.2").code == 159


@pytest.mark.parametrize(
    "name", ["allow_introspection_functions", "dialect", "format_schema", "output_format_schema"]
)
def test_other_settings_stay(analyst: Wire, name: str) -> None:
    assert analyst.send("SELECT 1", **{name: "1"}).code == 164


def test_roles_and_databases_in_the_url_change_nothing(analyst: Wire) -> None:
    query = "SELECT currentDatabase(), arrayJoin(enabledRoles())"
    assert analyst.send(query, role="owner", database="default").text == "analytics\tanalyst\n"
    assert analyst.send(query, database="system").code == 497
