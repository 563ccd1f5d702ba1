# Every target sets up what it needs by itself. `make demo` and `make test` are all that a fresh machine with Python, pip and make needs.
PYTHON ?= python3
ARGS ?=
# The versions that are installed; CI also tries the lowest and the newest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt

BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test lint bench docs site wheel release
.DELETE_ON_ERROR:

setup: $(READY)

demo: $(READY)
	$(BIN)/acclimate demo $(ARGS)

# One part of the suite: make test ARGS="tests/data -k csv". A process a core, and work is given out by need; the tests of a file stay
# together where they share what takes long to set up (tests/conftest.py). Bytecode is kept, whatever the environment says: every process
# that a test starts would compile the package again, and every worker rewrite all tests.
test: $(READY)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup --cov --cov-report=term $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m bench $(ARGS)

docs: $(READY)
	$(BIN)/acclimate schema > docs/study.schema.json.new && mv docs/study.schema.json.new docs/study.schema.json
	$(BIN)/acclimate schema --markdown > docs/study-file.md.new && mv docs/study-file.md.new docs/study-file.md

# The documentation as a site in build/site; a link or an anchor that leads nowhere is an error.
site: .venv/.site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The wheel, in dist/, tried in an environment of its own; `make release TAG=v0.2.0` first sees that the tag is the version's.
wheel:
	PYTHON=$(PYTHON) scripts/release.sh

release:
	@test -n "$(TAG)" || { echo 'which tag? make release TAG=v...' >&2; exit 2; }
	PYTHON=$(PYTHON) scripts/release.sh $(TAG)

.venv/.site: $(READY)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[site]'
	@touch $@

# Made anew only when what is to be installed changes. An environment that already stands there is kept and brought up to date.
# Some systems ship venv without pip; then the outer pip installs one into the environment. The two variables hold the build backend to
# the same versions: older pips read the first, newer ones the second.
$(READY): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] < (3, 14) else "acclimate needs Python 3.11 to 3.13, but $(PYTHON) is %d.%d; name another one: make PYTHON=python3.12 ..." % v[:2])'
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    echo "Creating .venv with $(PYTHON)"; \
	    $(PYTHON) -m venv --clear .venv >/dev/null 2>&1 \
	    || { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python .venv/bin/python install --quiet pip; }; \
	fi
	@echo "Installing acclimate and what it needs into .venv (a few minutes the first time)"
	@PIP_CONSTRAINT=$(CONSTRAINTS) PIP_BUILD_CONSTRAINT=$(CONSTRAINTS) PIP_DISABLE_PIP_VERSION_CHECK=1 \
	    $(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev,demo,minilm]'
	@touch $@
