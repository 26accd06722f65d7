"""Whatever is wrong with what a person gave: one line on stderr that names it, nothing on stdout, status 1 or 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from deployments import cli
from flows import connections

FILES = {
    "empty.csv": b"",
    "other.csv": b"a,b\n1,2\n",
    "bad.parquet": b"\x00PAR1 junk",
    "bad.json": b'{"x"',
}
AMAZON = {"AMAZON_CLIENT_ID": "a", "AMAZON_CLIENT_SECRET": "b", "AMAZON_REFRESH_TOKEN": "c"}
SHOPIFY = {"SHOPIFY_SHOP_NAME": "shop", "SHOPIFY_ACCESS_TOKEN": "very-secret"}

# command line, environment, status, what the line names
WRONG = [
    ("nope", {}, 2, "nope"),
    ("sync", {}, 2, ".env.example"),
    ("sync", {"AMAZON_CLIENT_ID": "a"}, 2, "AMAZON_CLIENT_SECRET"),
    ("sync", {"WALMART_CLIENT_ID": "a"}, 2, "WALMART_CLIENT_SECRET"),
    ("sync", AMAZON, 2, "AMAZON_MARKETPLACE_IDS"),
    ("sync", {**SHOPIFY, "SHOPIFY_API_URL": "http://shop.example.com"}, 2, "https://"),
    ("sync", {**SHOPIFY, "WHARF_PACE": "10"}, 2, "WHARF_PACE"),
    ("sync --account nobody", SHOPIFY, 2, "nobody"),
    ("sync nothing", SHOPIFY, 2, "nothing"),
    ("sync --since 2024-99-01", SHOPIFY, 2, "--since"),
    ("sync --since 2024-02-01 --until 2024-01-01", SHOPIFY, 2, "--since"),
    ("rollup --since 2024-02-01 --until 2024-01-01", {}, 2, "--since"),
    ("backfill --account shopify --since 2024-02-01 --until 2024-01-01", SHOPIFY, 2, "--since"),
    ("backfill refunds --account shopify --since 2024-01-01 --until 2024-02-01", SHOPIFY, 2, "refunds"),
    ("rollup --since yesterday", {}, 2, "--since"),
    ("status", {"WHARF_TIMEZONE": "Nowhere"}, 2, "WHARF_TIMEZONE"),
    ("status", {"WHARF_CURRENCY": "euros"}, 2, "WHARF_CURRENCY"),
    ("doctor --account nobody", SHOPIFY, 2, "nobody"),
    ("alerts ack many", {}, 2, "ID"),
    ("normalize --platform ebay --resource orders bad.json", {}, 2, "ebay"),
    ("normalize --platform amazon --resource rumours bad.json", {}, 2, "rumours"),
    ("normalize --platform amazon --resource orders absent.json", {}, 2, "absent.json"),
    ("normalize --platform amazon --resource orders bad.json", {}, 1, "bad.json"),
    ("normalize --platform shopify --resource orders empty.csv", {}, 1, "empty.csv"),
    ("forecast run --input absent.csv --output out.csv", {}, 2, "absent.csv"),
    ("forecast run --input empty.csv --output out.csv", {}, 1, "empty.csv"),
    ("forecast run --input other.csv --output out.csv", {}, 1, "series_id"),
    ("forecast run --input bad.parquet --output out.csv", {}, 1, "bad.parquet"),
    ("forecast run --input other.csv --output out.csv --horizon 0", {}, 2, "--horizon"),
    ("forecast backtest --input other.csv --output out.csv --members ets,oracle", {}, 2, "oracle"),
    ("forecast run --input other.csv --output absent/out.csv", {}, 2, "absent"),
    ("forecast run --input other.csv --output out.csv --totals absent/out.csv", {}, 2, "absent"),
    ("forecast whatif --output absent/out.csv", {}, 2, "absent"),
    ("anomalies --input other.csv --output absent/out.csv", {}, 2, "absent"),
    ("anomalies --input other.csv --output out.csv", {}, 1, "timestamp"),
    ("anomalies --input bad.parquet --output out.csv", {}, 1, "bad.parquet"),
    ("risk --input other.csv --output out.csv", {}, 1, "item_id"),
    ("risk --input other.csv --output absent/out.csv", {}, 2, "absent"),
    ("risk --input other.csv --output out.csv --model absent.json", {}, 2, "absent.json"),
    ("risk", {}, 2, "--input"),
    ("risk train --input other.csv", {}, 1, "stockout"),
    ("demo --data absent.csv", {}, 2, "absent.csv"),
    ("demo --data other.csv", {}, 2, "other.csv"),
    ("demo --data bad.parquet", {}, 2, "bad.parquet"),
    ("demo --data empty.csv", {}, 2, "empty.csv"),
    ("import absent.csv --format mapped --account shopify", SHOPIFY, 2, "absent.csv"),
    ("import other.csv --format ebay --account shopify", SHOPIFY, 2, "ebay"),
]


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A folder with the files above and an environment without any setting of Wharf."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    example = Path(__file__).parents[3] / ".env.example"
    for line in example.read_text().splitlines():
        if line and not line.startswith("#"):
            monkeypatch.delenv(line.partition("=")[0], raising=False)
    monkeypatch.chdir(tmp_path)
    connections.forget()
    yield tmp_path
    connections.forget()


@pytest.mark.parametrize(("line", "environment", "status", "named"), WRONG)
def test_one_line_says_what_is_wrong(bare, monkeypatch, capsys, line, environment, status, named):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["wharf", *line.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert ended.value.code == status, err
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert named in err
    assert "very-secret" not in err
    assert not (bare / ".wharf").exists(), "nothing is started for a wrong command line"


def test_the_real_command_ends_so_too(bare):
    wharf = Path(sys.executable).with_name("wharf")
    ended = subprocess.run(
        [wharf, "sync", "--account", "nobody"], cwd=bare, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)


def test_a_port_in_use_is_named(bare, monkeypatch, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["wharf", "sandbox", "serve", "--port", str(port)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert len(err.splitlines()) == 1
    assert str(port) in err


def test_a_data_folder_that_is_none_is_named(bare, monkeypatch, capsys):
    (bare / ".wharf").write_text("not a folder")
    monkeypatch.setattr(sys, "argv", ["wharf", "status"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    assert ended.value.code in (1, 2)
    assert len(err.splitlines()) == 1
    assert ".wharf" in err


def test_errors_never_show_a_password():
    text, _ = cli.explain(OSError("cannot reach postgresql://me:hunter2@host/db"))
    assert "hunter2" not in text


def test_every_command_and_option_is_explained(bare):
    from typer.main import get_command

    def commands(command, path):
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from commands(inner, f"{path} {name}")
        yield path, command

    for path, command in commands(get_command(cli.app), "wharf"):
        assert command.help, f"{path} is not explained"
        for option in command.params:
            if option.name.startswith("as_json"):
                assert option.help == "print one JSON object", path
