# Each verb is one command line that a person could type too. .venv holds everything.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SOURCES := $(shell find urpo_store -name '*.pyx' -o -name '*.pxd' -o -name '*.h')

.PHONY: help install build test demo check lint types package bench-smoke bench clean
help:
	@echo "make demo | test | check | bench-smoke | bench | build | clean"

$(STAMP): pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --upgrade 'pip>=25.1'
	$(PY) -m pip install -q --group dev
	touch $@

install: $(STAMP)

# The build log is kept: `make check` looks for Cython's performance hints in it.
build.log: $(STAMP) $(SOURCES) setup.py
	$(PY) setup.py build_ext --inplace -j2 > build.log 2>&1 || (cat build.log; rm -f build.log; exit 1)

build: build.log

test: build
	$(PY) -m pytest

clean:
	rm -rf build dist build.log *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find urpo_store -name '*.so' -delete -o -name '*.c' -delete
