# The executable guide. Every target works from a fresh clone with Python 3.11+ and make alone.
PYTHON ?= python3
UV = $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN = .venv/bin/
export UV_PYTHON_DOWNLOADS = never
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup demo up test unit integration check lint format types imports migrations bench chaos docs lock audit image leaks sbom clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# -- environment ---------------------------------------------------------------------------------
.tools/bin/uv:
	@command -v uv >/dev/null 2>&1 || { $(PYTHON) -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deployments/uv-requirements.txt; }

# The stamp is newer than the lock only when the environment holds exactly what the lock says.
.venv/.synced: uv.lock pyproject.toml | .tools/bin/uv
	@echo "setting up .venv from uv.lock"
	@$(UV) sync --locked --python $(PYTHON) --quiet --compile-bytecode
	@touch .venv/.synced

setup: .venv/.synced  ## the locked, hashed environment in .venv

# -- the two commands ----------------------------------------------------------------------------
demo: setup  ## the whole journey once, on local services and sandbox marketplaces; DATA="FILE…" [MAPPING=FILE] for your own order lines
	@$(RUN)wharf demo $(foreach file,$(DATA),--data "$(file)") $(if $(MAPPING),--mapping "$(MAPPING)")

up: setup  ## the same stack, kept running with its schedules; Ctrl-C ends it
	@exec $(RUN)wharf up

# -- tests and checks ----------------------------------------------------------------------------
# Two workers, each with servers of its own; a file's tests stay together, since they share a database.
test: setup  ## every test, on the embedded stack
	$(RUN)pytest --numprocesses 2 --dist loadfile

unit: setup  ## the fast tests alone
	$(RUN)pytest tests/unit

integration: setup  ## the tests on real local services
	$(RUN)pytest tests/integration tests/contract tests/flows

check: lint types imports migrations leaks  ## lint of code, image, scripts and workflow, format, types, import contracts, migrations in step with tables, no secrets in files

lint: setup
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)hadolint deployments/docker/Dockerfile
	$(RUN)shellcheck .ci/run deployments/docker/postgres/*.sh
	$(RUN)zizmor --offline --quiet .github
	$(RUN)check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(RUN)check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml

format: setup  ## rewrite files in house format
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

types: setup
	$(RUN)mypy

imports: setup
	$(RUN)lint-imports

migrations: setup
	$(RUN)wharf migrate --check

bench: setup  ## benchmarks; tables on the screen, figures in bench-results/
	@$(UV) sync --locked --quiet --all-groups --python $(PYTHON)
	@$(RUN)python -m bench $(if $(DATA),--data "$(DATA)")

chaos: setup  ## kills, faults and poison against the real stack; N=20 trials of a kind; bench-results/chaos.json
	@$(RUN)python -m bench.chaos $(if $(N),--trials $(N))

docs: setup  ## docs/data-dictionary.md from the comments of the tables
	@$(RUN)python -m warehouse.dictionary

# -- upkeep --------------------------------------------------------------------------------------
lock: .tools/bin/uv  ## resolve uv.lock anew
	$(UV) lock --upgrade

leaks: setup  ## nothing that looks like a credential in a tracked file, but what .secrets.baseline knows
	@git ls-files -z -- . ':!uv.lock' ':!docs/images' ':!migrations' ':!tests' ':!.secrets.baseline' | xargs -0 $(RUN)detect-secrets-hook --no-verify --baseline .secrets.baseline

sbom: setup  ## everything in the lock, as CycloneDX: sbom.json
	$(UV) export --locked --all-extras --no-emit-project --format cyclonedx1.5 --quiet -o sbom.json

audit: setup  ## known vulnerabilities in the lock; fails, too, where the advisory database cannot be asked
	$(UV) export --locked --all-extras --no-emit-project --format requirements-txt --quiet -o .venv/requirements.txt
	$(RUN)pip-audit --strict --disable-pip --require-hashes -r .venv/requirements.txt

image: setup  ## the image, and that compose and manifests stand on it (needs docker and kubectl)
	docker build --file deployments/docker/Dockerfile --tag wharf .
	docker run --rm --read-only --tmpfs /tmp wharf python -c "import tensorflow, prophet, flows.daily"
	POSTGRES_PASSWORD=x CLICKHOUSE_PASSWORD=x PREFECT_PASSWORD=x ANALYST_PASSWORD=x GRAFANA_PASSWORD=x WHARF_SECRET_KEY=x \
	  docker compose --profile bi --profile sandbox config --quiet
	kubectl kustomize deployments/kubernetes > /dev/null

clean:  ## remove the environment and local data
	rm -rf .venv .tools .wharf bench-results
