# What can be done here, each from a fresh machine with Python and make alone: `make` lists it.
# PYTHON=python3.12 chooses the interpreter, VENV=path the place of the virtual environment.

PYTHON ?= python3
VENV ?= .venv

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install study test test-slow test-all lint types imports report-index report-check audit constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

# The stamp files stand for "installed": touched last, older than what they were made from when that changes.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is not one: try make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "installing into $(VENV) (a few minutes, once)"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(PIP) --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@echo "installing what the checks need into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@

install: $(INSTALLED) ## make .venv and install the package with pinned versions

study: $(INSTALLED) ## run the whole study on built-in faces (about ten minutes) and print where the report is
	@$(RUN) -m study.run --grid all --data synthetic --budget demo --keep-weights best

test: $(INSTALLED_DEV) ## run the quick tests, two files at a time
	@$(RUN) -m pytest -rs --numprocesses 2 --dist loadfile

test-slow: $(INSTALLED_DEV) ## run the slow tests and those that need the package index
	@$(RUN) -m pytest -rs -m 'slow or package_index'

test-all: test test-slow ## run every test

lint: $(INSTALLED_DEV) ## check style and format
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

types: $(INSTALLED_DEV) ## check types
	@$(RUN) -m mypy

imports: $(INSTALLED_DEV) ## check what may import what
	@$(VENV)/bin/lint-imports

report-index: $(INSTALLED) ## write reports/README.md, the index of all committed reports
	@$(RUN) -m study.report.index $$(git ls-files 'reports/published/*/README.md')

report-check: $(INSTALLED) ## check that each committed report still matches its results (audits need their images)
	@for study in $$(git ls-files 'reports/published/*/README.md' | cut -d/ -f3 | sort -u); do \
	  head -n 1 "reports/published/$$study/README.md" | grep -q '^# Audit of ' && continue; \
	  if [ "$$study" = bench ]; then $(RUN) -m study bench --out reports/published/bench --check || exit $$?; continue; fi; \
	  $(RUN) -m study report "published/$$study" --check || exit $$?; \
	done
	@$(RUN) -m study.report.index --check $$(git ls-files 'reports/published/*/README.md')

audit: ## ask the package index which pinned dependencies have known vulnerabilities (needs the network)
	@set -e; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	$(PYTHON) -m venv "$$place"; \
	"$$place/bin/python" -m pip --disable-pip-version-check install --quiet pip-audit; \
	"$$place/bin/pip-audit" --requirement constraints.txt --no-deps --disable-pip

constraints: ## choose the newest versions that fit and write constraints.txt anew
	@set -e; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	$(PYTHON) -m venv "$$place"; \
	"$$place/bin/python" -m pip --disable-pip-version-check install --quiet --upgrade 'setuptools<81' wheel --editable '.[dev,hub]'; \
	head -n 1 constraints.txt > "$$place/pinned"; \
	"$$place/bin/python" -m pip freeze --all --exclude-editable | grep -v '^pip==' >> "$$place/pinned"; \
	cp "$$place/pinned" constraints.txt

clean: ## remove the virtual environment and the caches of the checks; results and reports stay
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
