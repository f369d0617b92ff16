"""Classes by which tests and benchmarks drive one stage of the engine by itself.

`make build` compiles them in place; no wheel has them. `import drivers.series_index` works where
tests/ is on the path: in tests (conftest.py) and in benchmarks.
"""
