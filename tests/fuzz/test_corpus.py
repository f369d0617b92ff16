"""The short form of `make fuzz`: every input that was kept, by the usual build."""

import importlib
from pathlib import Path

import pytest
from helpers.chunk_cases import WHOLE, pack

HERE = Path(__file__).parent


def replayed(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, int]]:
    """How many inputs there are, and what they count for."""
    monkeypatch.syspath_prepend(str(HERE))
    target = importlib.import_module(f"{name}_target")
    before = dict(target.counts)
    inputs = sorted((HERE / "corpus" / name).iterdir())
    for path in inputs:
        target.one_input(path.read_bytes())
    return len(inputs), {key: count - before[key] for key, count in target.counts.items()}


def test_requests_are_decided_as_protobuf_decides(monkeypatch):
    inputs, counts = replayed("requests", monkeypatch)
    assert counts["inputs"] == inputs > 20
    # It gets through: what cannot be decoded is the smaller part of what was kept.
    assert counts["requests"] > inputs / 4
    assert counts["points"] > 20


def test_chunks_are_decoded_or_refused(monkeypatch):
    inputs, counts = replayed("chunks", monkeypatch)
    assert counts["inputs"] == inputs > 20
    assert counts["whole"] > inputs / 4


def test_the_corpus_has_a_whole_chunk_of_each_form():
    kept = {path.read_bytes() for path in (HERE / "corpus/chunks").iterdir()}
    for name, (_, case) in WHOLE.items():
        assert pack(case) in kept, f"no input in corpus/chunks is the chunk {name!r}"
