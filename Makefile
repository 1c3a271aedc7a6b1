# Everything a person runs; each target works from a fresh clone with Python, git and make.
PYTHON ?= python3
VENV ?= .venv
DATASET ?= demo
DATA ?=
CUSTOMERS ?= 20000
SEED ?= 42
# Another DuckDB than the pinned one, e.g. make test VENV=.venv-1.5 DUCKDB=1.5.6
DUCKDB ?=
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo shop report test lint format docs site bench bi engines spark faults fuzz coverage matrix mutants clean

## demo: build the demo shop (or DATASET=… DATA=…) and print its segments
demo: $(STAMP)
	@$(BIN)/python datasets/build.py --dataset $(DATASET) $(if $(DATA),--data "$(DATA)") \
		--customers $(CUSTOMERS) --seed $(SEED)

## shop: build the segments of your own order lines, as a YAML file says where they are
SHOP ?= my_shop.yml
DATABASE ?= $(or $(SEGQL_DATABASE),$(basename $(SHOP)).duckdb)
shop: $(STAMP)
	@$(BIN)/python datasets/build.py --shop "$(SHOP)" --database "$(DATABASE)"

## test: lint, then the whole test suite
test: $(STAMP) lint
	PATH="$(abspath $(BIN)):$$PATH" $(PYTEST)

## coverage: the share of the package's lines that the tests run, 90 % at least (COVERED: which tests)
COVERED ?= tests
coverage: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[coverage]'
	PATH="$(abspath $(BIN)):$$PATH" COVERAGE_FILE="$(abspath .build)/coverage/data" \
		$(PYTEST) --cov --cov-report=term --cov-fail-under=90 $(COVERED)

## matrix: the tests on every Python from 3.11 that is here, DuckDB 1.5 and 2.0, and at both ends of the
## ranges of dependencies (SESSIONS="lowest highest-3.13": these only; nox --list)
SESSIONS ?=
matrix: $(STAMP)
	$(BIN)/nox $(if $(SESSIONS),--sessions $(SESSIONS))

## mutants: change steps, clusterers and metrics in COUNT places, drawn by SEED, one at a time: the tests
## must notice (a run that was stopped goes on where it was)
COUNT ?= 300
mutants: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[mutants]'
	$(BIN)/python tests/mutation/sample.py --seed $(SEED) --count $(COUNT)

## lint: formatting, types, dbt deprecations and rules, SQL style (on a small shop)
lint: $(STAMP)
	$(BIN)/ruff check udfs tests datasets bench docs bi noxfile.py
	$(BIN)/ruff format --check udfs tests datasets bench docs bi noxfile.py
	$(BIN)/mypy
	$(BIN)/mypy --ignore-missing-imports bi/*.py
	@mkdir -p .build
	$(BIN)/python datasets/build.py --customers 500 --database .build/lint.duckdb > .build/lint.log \
		|| { cat .build/lint.log; exit 1; }
	SEGQL_DATABASE=.build/lint.duckdb $(BIN)/dbt --quiet --warn-error parse \
		--show-all-deprecations --no-partial-parse --project-dir dbt_project --profiles-dir .
	SEGQL_DATABASE=.build/lint.duckdb DBT_TARGET_PATH="$(abspath .build/target)" \
		$(BIN)/dbt --quiet docs generate --project-dir dbt_project --profiles-dir .
	$(BIN)/dbt-bouncer run --config-file dbt-bouncer.yml
	$(BIN)/dbt-bouncer run --config-file dbt-bouncer-package.yml
	SEGQL_DATABASE=.build/lint.duckdb $(BIN)/sqlfluff lint --disable-progress-bar --processes 0 \
		dbt_project/models dbt_project/tests
	$(BIN)/sqlfluff lint --disable-progress-bar --templater raw datasets

format: $(STAMP)
	$(BIN)/ruff check --fix udfs tests datasets bench docs bi noxfile.py
	$(BIN)/ruff format udfs tests datasets bench docs bi noxfile.py

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "segql needs Python 3.11 or later, this is " + sys.version.split()[0])'
	@echo "installing into $(VENV), once, for a minute or two …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@test -z "$(DUCKDB)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		duckdb==$(DUCKDB)
	@touch $@

## report: a page about the segments of the warehouse that `make demo` builds
report: $(STAMP)
	@test -e "$${SEGQL_DATABASE:-warehouse.duckdb}" || $(MAKE) --no-print-directory demo
	@$(BIN)/segql report --to report.html

## docs: write the SQL reference from the functions, the page of engines from the export
docs: $(STAMP)
	$(BIN)/python docs/build_reference.py
	$(BIN)/python docs/build_engines.py

## site: the documentation as a site, in .build/site/index.html; any warning fails it
site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

## bench: compare with the peers on the same rows (ROWS=1000000, RUNS=3)
ROWS ?= 1000000
RUNS ?= 3
bench: $(STAMP)
	$(BIN)/python bench/run.py --rows $(ROWS) --runs $(RUNS)

## bi: publish the warehouse (the demo shop if there is none) and show it in a Superset of its own:
## every chart must have rows; a picture is in .build/superset (KEEP=1: leave the server running)
BI_VENV ?= .venv-bi
WAREHOUSE ?= $(or $(SEGQL_DATABASE),warehouse.duckdb)
SERVED ?= serve.duckdb
KEEP ?=
bi: $(STAMP) $(BI_VENV)/.installed
	@test -f "$(WAREHOUSE)" || { \
		$(BIN)/python datasets/build.py --customers $(CUSTOMERS) --database "$(WAREHOUSE)" && \
		SEGQL_DATABASE="$(WAREHOUSE)" $(BIN)/dbt --quiet run --project-dir dbt_project \
			--profiles-dir . --select segment_history segment_transitions \
			--vars '{history_months: 12}'; }
	$(BIN)/segql publish --database "$(WAREHOUSE)" --to "$(SERVED)"
	$(BI_VENV)/bin/python bi/check.py --database "$(SERVED)" $(if $(KEEP),--keep)

$(BI_VENV)/.installed: bi/requirements.txt
	@test -x $(BI_VENV)/bin/python || $(PYTHON) -m venv $(BI_VENV)
	@$(BI_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

## engines: score models on PostgreSQL, MariaDB, ClickHouse, Spark and SQLite, and compare every label
## with DuckDB's; as root, Debian's servers are installed where they are missing
ENGINES_VENV ?= .venv-engines
ENGINES_TESTS ?= tests/engines
engines: $(ENGINES_VENV)/.installed
	@test "$$(id -u)" != 0 || ! command -v apt-get > /dev/null || { \
		set -- ; \
		ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || set -- "$$@" postgresql; \
		test -x /usr/sbin/mariadbd || set -- "$$@" mariadb-server; \
		command -v java > /dev/null || set -- "$$@" default-jre-headless; \
		test $$# = 0 || { apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@"; } \
	} > /dev/null
	SEGQL_REQUIRE_ENGINES=1 $(ENGINES_VENV)/bin/python -m pytest $(ENGINES_TESTS)

## spark: fit on a Spark cluster of two worker processes on this machine, build the reference project
## on Spark by dbt, and compare with DuckDB
spark: $(ENGINES_VENV)/.installed
	$(ENGINES_VENV)/bin/python -m pytest tests/spark

## faults: kill runs at random moments (KILLS=200), and look at what is left
KILLS ?= 200
faults: $(STAMP)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python tests/faults/kills.py --times $(KILLS) --seed $(SEED)

## fuzz: odd input through every door (SECONDS_A_DOOR=600)
SECONDS_A_DOOR ?= 600
fuzz: $(STAMP)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python tests/faults/fuzz.py \
		--seconds $(SECONDS_A_DOOR) --seed $(SEED)

$(ENGINES_VENV)/.installed: tests/engines/requirements.txt pyproject.toml constraints.txt
	@test -x $(ENGINES_VENV)/bin/python || $(PYTHON) -m venv $(ENGINES_VENV)
	@$(ENGINES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement $< --editable '.[dbt]' pytest
	@touch $@

clean:
	rm -rf .nox $(VENV) $(BI_VENV) $(ENGINES_VENV) build dist *.egg-info udfs/*.egg-info .pytest_cache .mypy_cache .ruff_cache
