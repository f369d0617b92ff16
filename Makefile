# Each verb is a few command lines that a person could type too. Everything lives in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
SOURCES := $(shell find urpo_store tests/drivers -name '*.pyx' -o -name '*.pxd' -o -name '*.h')
# The modules of Cython that Python may import by name.
STUBBED := $(subst /,.,$(basename $(shell find urpo_store -name '*.pyi')))
HEADERS := $(shell find urpo_store -name '*.h')
CYTHON_FILES := $(shell find urpo_store tests -name '*.pyx' -o -name '*.pxd')

.PHONY: help build demo test pictures race sanitize fuzz check package bench bench-smoke peers clean

help:
	@echo "make demo         a sample application, its live health, a few charts; DEMO_SECONDS=20"
	@echo "make test         the whole test suite"
	@echo "make pictures     docs/terminal/*.svg, drawn by the terminal UI itself"
	@echo "make check        lint, types, stubs, build hints, sdist -> wheel -> import"
	@echo "make race         ThreadSanitizer, and the mutants that it must catch"
	@echo "make sanitize     engine and query tests under AddressSanitizer and UBSan"
	@echo "make fuzz         requests and chunks, any bytes of them, FUZZ_SECONDS=120 (needs clang)"
	@echo "make bench-smoke  every benchmark once; make bench: in earnest"
	@echo "make peers        the same points to VictoriaMetrics, Prometheus, DuckDB, SQLite and tsink"
	@echo "make build        compile the engine in place; make clean"

# What the package and its extras need, out of pyproject.toml: the package itself is built in place.
define RUNTIME
import tomllib
project = tomllib.load(open('pyproject.toml', 'rb'))['project']
extras = project['optional-dependencies']
needed = sum((extras[name] for name in extras if name != 'all'), project['dependencies'])
print('\n'.join(needed))
endef
export RUNTIME

# The virtual environment has all that building, testing and the demo need.
$(STAMP): pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --upgrade 'pip>=25.1'
	$(PY) -c "$$RUNTIME" > $(VENV)/runtime.txt
	$(PY) -m pip install -q -r $(VENV)/runtime.txt --group dev
	touch $@

# The log is kept: `make check` looks for Cython's performance hints in it.
build.log: $(STAMP) $(SOURCES) setup.py
	rm -f $@
	$(PY) setup.py build_ext --inplace -j2 > build.tmp 2>&1 || (cat build.tmp; exit 1)
	mv build.tmp $@

build: build.log

demo: build
	$(PY) -m urpo_store.cli demo

test: build
	$(PY) -m pytest

pictures: build
	PYTHONPATH=tests $(PY) -m helpers.pictures docs/terminal

race: $(STAMP)
	PYTHONPATH=tests $(PY) -m race.run --engine

sanitize: $(STAMP)
	$(PY) tests/sanitize.py build/sanitize

FUZZ_SECONDS ?= 120
fuzz: $(STAMP)
	$(PY) tests/fuzz/run.py build/fuzz $(FUZZ_SECONDS)

check: build package
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint --max-line-length=100 --ignore=E116,E262,E302 $(CYTHON_FILES)
	@! grep -nE '^.{101}' $(HEADERS)
	$(PY) -m mypy.stubtest $(STUBBED) --concise \
	  --mypy-config-file pyproject.toml --allowlist tests/stubtest-allowlist.txt --ignore-unused-allowlist
	@! grep -n "performance hint" build.log

# What a user installs is the wheel built from the sdist, imported from somewhere else.
package: build
	rm -rf dist
	$(PY) -m build -q --outdir dist > build.package.log 2>&1 || (cat build.package.log; exit 1)
	rm -rf build/package && $(PYTHON) -m venv build/package
	build/package/bin/python -m pip install -q dist/*.whl
	cd / && $(CURDIR)/build/package/bin/python -c \
	  "import urpo_store; s = urpo_store.open(); print(s); s.close(); print(urpo_store.__file__)"

bench-smoke: build
	$(BIN)/asv --config asv_benchmarks/asv.conf.json machine --yes
	cd asv_benchmarks && ASV_PYTHONPATH=$(CURDIR) ../$(BIN)/asv check --python=same
	cd asv_benchmarks && ASV_PYTHONPATH=$(CURDIR) ../$(BIN)/asv run --quick --dry-run --show-stderr --python=same

bench: build
	cd asv_benchmarks && ASV_PYTHONPATH=$(CURDIR) ../$(BIN)/asv run --show-stderr --python=same

# VictoriaMetrics and Prometheus are measured too where they are installed.
peers: build
	$(PY) -m pip install -q --group peers
	$(PY) asv_benchmarks/peers.py

clean:
	rm -rf build dist build.log build.tmp build.package.log *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find urpo_store tests/drivers \( -name '*.so' -o -name '*.c' \) -delete
