"""Every benchmark in turn: `python -m bench [--data DATA]`, or `make bench [DATA=…]`.

DATA is a folder with published data sets (see bench/forecasting_sets.py and bench/anomalies.py); without it only
what needs none is run.
"""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Runs each in a process of its own, so that one's memory is not the next one's; status of the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with published data sets")
    data = parser.parse_args().data
    runs = [
        ["bench.connectors"],
        ["bench.budgets"],
        ["bench.loading"],
        ["bench.marts"],
        ["bench.history"],
        ["bench.planning"],
        ["bench.risk"],
        ["bench.forecasting", "--sets", "promo"],
    ]
    if data is not None:
        orders = sorted((data / "online_retail_ii").glob("*.parquet"))
        runs[7:] = [
            ["bench.forecasting", "--data", str(data)],
            ["bench.anomalies", "--data", str(data / "nab")],
            *([name, *map(str, orders)] for name in ("bench.customers", "bench.baskets") if orders),
            ["bench.inventory", "--data", str(data)],
            *(
                [f"bench.{name}", str(file)]
                for name, part in (
                    ("reviews", "womens_clothing_reviews"),
                    ("sessions", "online_shoppers_intention"),
                )
                for file in sorted((data / part).glob("*.parquet"))
            ),
        ]
    status = 0
    for arguments in runs:
        sys.stdout.write(f"\n== {' '.join(arguments)}\n")
        sys.stdout.flush()
        status = max(status, subprocess.run([sys.executable, "-m", *arguments], check=False).returncode)
    return status


if __name__ == "__main__":
    sys.exit(main())
