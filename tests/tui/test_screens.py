"""Every screen at three sizes, as text: goldens that a person can read in a diff.

URPO_UPDATE_GOLDENS=1 writes them anew; look at the diff then.
"""

import os
from pathlib import Path

import pytest
from helpers.terminal import drive

import urpo_store

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(80, 24), (120, 40), (200, 60)]
SCREENS = {
    "services": (),
    "service": ("enter",),
    "service-instances": ("end", "enter", "i"),
    "metrics": ("2",),
    "metric-quantiles": ("2", "down", "enter"),
    "metric-by-status": ("2", "down", "enter", "v", "b", "b"),
    "metric-heat": ("2", "down", "enter", "v", "v"),
    "metric-raw": ("2", "down", "down", "down", "enter", "v", "v"),
    "metric-exponential": ("2", "down", "down", "enter", "v", "v"),
    "metric-gauge": ("2", "end", "enter"),
    "exemplars": ("2", "down", "enter", "e"),
    "arrived": ("3",),
    "query": ("4",),
    "keys": ("question_mark",),
}


def check(name, text):
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("URPO_UPDATE_GOLDENS"):
        path.write_text(text)
    assert path.read_text() == text, f"the screen differs from {path}"


async def look(driver):
    return driver.text


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("name", SCREENS)
def test_screen(store, name, size):
    text = drive(look, store, size, SCREENS[name])
    lines = text.splitlines()
    assert len(lines) <= size[1]
    assert "Traceback" not in text
    # What depends on the allocator is not the screen's business.
    check(f"{name}-{size[0]}x{size[1]}", hide_sizes(text))


def hide_sizes(text):
    import re

    return re.sub(r"\d+\.\d (KiB|MiB)", "?.? MiB", text)


@pytest.mark.parametrize("key", ["1", "2", "3", "4"])
def test_an_empty_store_says_why_and_what_to_set(key):
    with urpo_store.open() as empty:
        text = drive(look, empty, (80, 24), (key,))
    if key != "4":
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in text
    check(f"empty-{key}", hide_sizes(text))


def test_plain_characters(store, monkeypatch):
    monkeypatch.setenv("URPO_STORE_ASCII", "1")
    text = drive(look, store, (80, 24), ("enter",))
    body = "\n".join(text.splitlines()[1:-1])
    assert body.isascii(), body
    check("service-ascii", hide_sizes(text))


def test_a_tiny_terminal(store):
    for keys in ((), ("enter",), ("2", "enter"), ("3",), ("4",)):
        assert drive(look, store, (40, 10), keys).startswith("urpo-store")
