"""The front speaks ClickHouse's HTTP protocol: to clickhouse-connect, to SQLAlchemy, and on the bare wire."""

import contextlib
import gzip
import json
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import clickhouse_connect
import lz4.frame
import polars as pl
import pytest
import sqlalchemy
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.local_factories import Wire

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BLOCKS_ROWS = 300_000  # several compressed frames in one body


@pytest.fixture
def client(clickhouse: str) -> Iterator[Client]:
    with contextlib.closing(clickhouse_connect.get_client(dsn=clickhouse, tz_mode="aware")) as client:
        client.command("DROP TABLE IF EXISTS sales")
        client.command(
            "CREATE TABLE sales (id Int64, sku String, amount Decimal(18, 4), at DateTime64(3, 'UTC')) "
            "ENGINE = MergeTree ORDER BY id"
        )
        yield client


@pytest.fixture
def wire(clickhouse: str, client: Client) -> Wire:
    return Wire(clickhouse)


def ids(wire: Wire) -> str:
    return wire.send(
        "SELECT arrayStringConcat(groupArray(id), ',') FROM (SELECT id FROM analytics.sales ORDER BY id)"
    ).text


class TestClickHouseConnect:
    @pytest.mark.parametrize("compression", ["zstd", "lz4", "gzip", False])
    def test_every_block_of_a_large_insert_arrives(
        self, client: Client, clickhouse: str, compression: str
    ) -> None:
        ids = list(range(BLOCKS_ROWS))
        columns = [ids, [f"s{n}" for n in ids], [Decimal(n) / 100 for n in ids], [NOON] * len(ids)]
        with contextlib.closing(
            clickhouse_connect.get_client(dsn=clickhouse, compress=compression)
        ) as sender:
            summary = sender.insert("sales", columns, column_oriented=True)

        assert summary.written_rows == BLOCKS_ROWS
        stored = client.query("SELECT count(), sum(id), sum(amount), min(at) FROM sales").result_rows
        assert stored == [(BLOCKS_ROWS, sum(ids), Decimal(sum(ids)) / 100, NOON)]

    def test_frames_go_in_and_out_by_arrow(self, client: Client) -> None:
        frame = pl.DataFrame({"id": range(1000), "sku": ["ä"] * 1000}).with_columns(
            amount=pl.lit("1.25").cast(pl.Decimal(18, 4)), at=pl.lit(NOON).dt.cast_time_unit("ms")
        )

        client.insert_arrow("sales", frame.to_arrow())

        returned = client.query_df_arrow("SELECT * FROM sales ORDER BY id", dataframe_library="polars")
        assert returned.schema == frame.schema
        assert returned.equals(frame)

    def test_parameters_keep_what_would_break_a_query(self, client: Client) -> None:
        awkward = "tab\t line\n quote' back\\slash {x:Int8}"
        rows = client.query(
            "SELECT {a:String}, {b:Array(Int32)}", parameters={"a": awkward, "b": [1, 2]}
        ).result_rows

        assert rows == [(awkward, [1, 2])]

    def test_a_setting_holds_for_its_query_only(self, client: Client) -> None:
        query = "SELECT getSetting('max_block_size')"
        usual = client.query(query).result_rows

        assert client.query(query, settings={"max_block_size": 77}).result_rows == [(77,)]
        assert client.query(query).result_rows == usual

    def test_a_session_keeps_its_temporary_table(self, client: Client, clickhouse: str) -> None:
        client.command("CREATE TEMPORARY TABLE mine (n Int8)")
        client.command("INSERT INTO mine VALUES (1), (2)")

        assert client.query("SELECT sum(n) FROM mine").result_rows == [(3,)]
        with (
            contextlib.closing(clickhouse_connect.get_client(dsn=clickhouse)) as other,
            pytest.raises(DatabaseError, match="UNKNOWN_TABLE"),
        ):
            other.query("SELECT * FROM mine")

    def test_results_stream_in_blocks(self, client: Client) -> None:
        with client.query_row_block_stream("SELECT number FROM numbers(500000)") as blocks:
            assert sum(len(block) for block in blocks) == 500_000

    @pytest.mark.parametrize(
        ("statement", "code"),
        [
            ("SELECT * FROM nowhere", 60),
            ("SELEC 1", 62),
            ("SELECT nothing FROM sales", 47),
            ("SELECT * FROM nowhere.sales", 81),
            ("INSERT INTO sales VALUES (1)", 62),
            ("SELECT throwIf(1)", 395),
        ],
    )
    def test_errors_carry_clickhouses_code(self, client: Client, statement: str, code: int) -> None:
        with pytest.raises(DatabaseError) as caught:
            client.command(statement)

        assert caught.value.code == code

    def test_many_clients_write_and_read_at_once(self, client: Client, clickhouse: str) -> None:
        def work(worker: int) -> None:
            with contextlib.closing(clickhouse_connect.get_client(dsn=clickhouse)) as own:
                for number in range(5):
                    own.insert("sales", [[worker * 10 + number, "x", Decimal(1), NOON]])
                    own.query("SELECT count() FROM sales")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        assert client.query("SELECT uniqExact(id) FROM sales").result_rows == [(40,)]

    def test_days_can_be_replaced_by_partition(self, client: Client) -> None:
        for table in ("days", "days_stage"):
            client.command(f"DROP TABLE IF EXISTS {table}")
            client.command(
                f"CREATE TABLE {table} (day Date, n Int64) ENGINE = MergeTree PARTITION BY day ORDER BY n"
            )
        client.command("INSERT INTO days VALUES ('2026-03-01', 1), ('2026-03-02', 2)")
        client.command("INSERT INTO days_stage VALUES ('2026-03-01', 10)")
        for _ in range(2):
            client.command("ALTER TABLE days REPLACE PARTITION '2026-03-01' FROM days_stage")

        assert client.query("SELECT n FROM days ORDER BY day").result_rows == [(10,), (2,)]


def test_sqlalchemy_reads_and_reflects(client: Client, clickhouse: str) -> None:
    client.command("INSERT INTO sales VALUES (7, 'a', 1.5, now64(3))")
    engine = sqlalchemy.create_engine(clickhouse.replace("http://", "clickhousedb://"))
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT id, amount FROM sales")).all() == [
            (7, Decimal("1.5"))
        ]
    columns = sqlalchemy.inspect(engine).get_columns("sales")
    engine.dispose()

    assert [column["name"] for column in columns] == ["id", "sku", "amount", "at"]


class TestWire:
    def test_health_needs_no_password(self, wire: Wire) -> None:
        for method, path in (("GET", "/ping"), ("GET", "/"), ("HEAD", "/ping")):
            reply = Wire(f"http://127.0.0.1:{wire.port}").send(method=method, path=path)
            assert (reply.status, reply.body) == (200, b"" if method == "HEAD" else b"Ok.\n")

    def test_a_query_comes_in_the_url_the_body_or_both(self, wire: Wire) -> None:
        assert wire.send("SELECT 1 + 1").text == "2\n"
        assert wire.send(method="GET", query="SELECT 1 + 1").text == "2\n"
        assert wire.send("1 + 1", query="SELECT").text == "2\n"

    def test_get_reads_only(self, wire: Wire) -> None:
        assert wire.send(method="GET", query="DROP TABLE analytics.sales").code == 164
        assert wire.send(method="GET", query="SELECT count() FROM analytics.sales").text == "0\n"

    def test_formats_are_asked_for_and_announced(self, wire: Wire) -> None:
        asked = wire.send("SELECT 1 AS a", default_format="JSONEachRow")
        assert (asked.text, asked.headers["x-clickhouse-format"]) == ('{"a":1}\n', "JSONEachRow")
        assert wire.send("SELECT 1 AS a", headers={"X-ClickHouse-Format": "CSVWithNames"}).text == '"a"\n1\n'
        assert wire.send("SELECT 1 AS a FORMAT JSON").headers["content-type"].startswith("application/json")

    def test_an_answer_tells_of_its_query(self, wire: Wire) -> None:
        reply = wire.send("INSERT INTO analytics.sales (id) VALUES (1), (2), (3)", query_id="mine")

        assert reply.headers["x-clickhouse-query-id"] == "mine"
        assert reply.headers["x-clickhouse-timezone"] == "UTC"
        assert json.loads(reply.headers["x-clickhouse-summary"])["written_rows"] == "3"
        assert "x-clickhouse-format" not in reply.headers

    def test_totals_follow_the_rows(self, wire: Wire) -> None:
        query = "SELECT number, count() FROM numbers(2) GROUP BY number WITH TOTALS ORDER BY number"
        assert wire.send(query).text == "0\t1\n1\t1\n\n0\t2\n"

    @pytest.mark.parametrize(
        ("statement", "data"),
        [
            ("INSERT INTO sales (id, sku) FORMAT CSV", b'1,"a"\n2,"b"\n'),
            ("INSERT INTO sales (id, sku) FORMAT TSV", b"1\ta\n2\tb\n"),
            ("INSERT INTO sales (id, sku) VALUES", b"(1, 'a'), (2, concat('b', ''))"),
            ("INSERT INTO sales FORMAT JSONEachRow", b'{"id": 1}\n{"id": 2}\n'),
            ("INSERT INTO sales (id) SETTINGS max_threads = 1 FORMAT CSV", b"1\n2\n"),
        ],
    )
    def test_data_comes_behind_its_insert(self, wire: Wire, statement: str, data: bytes) -> None:
        assert wire.send(data, query=statement, database="analytics").status == 200
        assert wire.send(statement.encode() + b"\n" + data, database="analytics").status == 200

        assert ids(wire) == "1,1,2,2\n"

    @pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
    def test_every_frame_of_a_compressed_body_counts(self, wire: Wire, encoding: str) -> None:
        compress = {
            "gzip": gzip.compress,
            "zstd": zstandard.ZstdCompressor().compress,
            "lz4": lz4.frame.compress,
        }[encoding]
        body = b"".join(map(compress, [b"INSERT INTO analytics.sales (id) FORMAT CSV\n", b"1\n", b"2\n"]))

        assert wire.send(body, headers={"Content-Encoding": encoding}).status == 200
        assert ids(wire) == "1,2\n"

    def test_a_body_may_come_in_chunks(self, wire: Wire) -> None:
        chunks = iter([b"INSERT INTO analytics.sales (id) FOR", b"MAT CSV\n1\n", b"2\n"])

        assert wire.send(chunks).status == 200
        assert ids(wire) == "1,2\n"

    @pytest.mark.parametrize(
        ("body", "encoding", "status"),
        [
            (gzip.compress(b"INSERT INTO analytics.sales (id) FORMAT CSV\n1\n2\n")[:-9], "gzip", 400),
            (b"no zstd at all", "zstd", 400),
            (zlib.compress(b"SELECT 1"), "br", 501),
            (b"INSERT INTO analytics.sales (id) FORMAT CSV\n1\nnot a number\n", "identity", 400),
        ],
        ids=["cut short", "not compressed", "an encoding nobody speaks", "not a number"],
    )
    def test_a_body_that_cannot_be_read_stores_nothing(
        self, wire: Wire, body: bytes, encoding: str, status: int
    ) -> None:
        assert wire.send(body, headers={"Content-Encoding": encoding}).status == status
        assert ids(wire) == "\n"

    def test_multipart_fields_are_parameters(self, wire: Wire) -> None:
        part = '--B\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        body = part.format("query", "SELECT {p:String}") + part.format("param_p", "größer") + "--B--\r\n"

        reply = wire.send(body, headers={"Content-Type": "multipart/form-data; boundary=B"})

        assert reply.text == "größer\n"

    @pytest.mark.parametrize(
        ("statement", "code", "status"),
        [
            ("SELECT * FROM nowhere", 60, 404),
            ("SELEC 1", 62, 400),
            ("SELECT 1; SELECT 2", 62, 400),
            ("DROP TABLE IF EXISTS analytics.one; DROP TABLE IF EXISTS analytics.two", 62, 400),
            ("SELECT 1 INTO OUTFILE '/tmp/wharf-out'", 48, 501),
            ("INSERT INTO analytics.sales FROM INFILE '/etc/passwd' FORMAT CSV", 48, 501),
            ("SELECT sleepEachRow(0.1) FROM numbers(30) SETTINGS max_execution_time = 0.2", 159, 408),
            ("", 62, 400),
        ],
    )
    def test_errors_have_a_code_and_a_status(
        self, wire: Wire, statement: str, code: int, status: int
    ) -> None:
        reply = wire.send(statement)

        assert (reply.code, reply.status) == (code, status)

    def test_unknown_settings_and_paths_are_refused(self, wire: Wire) -> None:
        assert wire.send("SELECT 1", no_such_setting="1").code == 115
        assert wire.send("SELECT 1", compress="1").code == 48
        assert wire.send(method="GET", path="/nowhere").status == 404

    def test_a_session_keeps_what_is_set_but_not_what_came_with_one_query(self, wire: Wire) -> None:
        query = "SELECT getSetting('max_block_size'), getSetting('max_threads')"
        wire.send("SET max_block_size = 77", session_id="s")
        usual = wire.send(query, session_id="s").text

        assert usual.startswith("77\t")
        assert wire.send(query, session_id="s", max_threads="1").text == "77\t1\n"
        assert wire.send(query, session_id="s", max_threads="3").text == "77\t3\n"
        assert wire.send(query, session_id="s").text == usual
        assert not wire.send(query, session_id="another").text.startswith("77\t")

    def test_what_waits_for_the_next_request_is_lent_to_its_like_alone(self, wire: Wire) -> None:
        query = "SELECT getSetting('max_threads'), currentDatabase()"
        usual = wire.send(query).text

        for _ in range(3):
            assert wire.send(query, max_threads="3", database="system").text == "3\tsystem\n"
            assert wire.send(query).text == usual
            analyst = wire.send(query, headers={"X-ClickHouse-User": "analyst", "X-ClickHouse-Key": ""})
            assert analyst.text.endswith("\tanalytics\n")
            assert (
                wire.send("SET max_threads = 7").status == 200
            )  # without a session it ends with its request
        assert wire.send("CREATE TABLE analytics.lent (a Int8) ENGINE = Memory").status == 200
        assert wire.send("DROP TABLE analytics.lent").status == 200

    def test_a_wrong_password_is_refused(self, wire: Wire) -> None:
        for user, password in (("wharf", "wrong"), ("wharf", ""), ("nobody", ""), ("default", "x")):
            reply = wire.send("SELECT 1", headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password})
            assert (reply.code, reply.status) == (516, 403)

    def test_other_sites_do_not_reach_it(self, wire: Wire) -> None:
        for headers in (
            {"Host": "attacker.example"},
            {"Host": "attacker.example:8123"},
            {"Origin": "https://attacker.example"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            assert wire.send("SELECT 1", headers=headers).status == 403
        assert wire.send("SELECT 1", headers={"Host": "localhost:8123"}).text == "1\n"

    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
    def test_curl_works(self, wire: Wire) -> None:
        command = ["curl", "-sS", f"http://127.0.0.1:{wire.port}/", "--data-binary", "SELECT 'curl'"]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"curl\n"
