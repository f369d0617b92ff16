"""The short form of `make fuzz`: every input that was kept, by the usual build."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").iterdir())


@pytest.fixture(scope="module")
def target():
    spec = importlib.util.spec_from_file_location("fuzz_target", HERE / "target.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_corpus_is_decided_as_protobuf_decides(target):
    before = dict(target.counts)
    for path in CORPUS:
        target.one_input(path.read_bytes())
    assert target.counts["inputs"] - before["inputs"] == len(CORPUS) > 20
    # It gets through: what cannot be decoded is the smaller part of what was kept.
    assert target.counts["requests"] > len(CORPUS) / 4
    assert target.counts["points"] > 20
