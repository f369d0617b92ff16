"""Every screen at three sizes, as text: goldens that a person can read in a diff.

URPO_UPDATE_GOLDENS=1 writes them anew; look at the diff then.
"""

import os
import re
from pathlib import Path

import pytest
from helpers.terminal import drive
from rich.color import ColorType

import urpo_store
from urpo_store.render.text import width

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(80, 24), (120, 40), (200, 60)]
QUERY = "http.server.duration --agg p95 --by http.target --step 10s"
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
    "query-answer": ("4", QUERY, "enter"),
    "query-error": ("4", "http.server.duration --agg median", "enter"),
    "keys": ("question_mark",),
}
TINY = (40, 10)
ON_A_TINY_ONE = ("services", "service", "metrics", "metric-heat", "exemplars", "arrived", "query")


def check(name, text):
    path = GOLDENS / f"{name}.txt"
    text = hide_sizes(text)
    if os.environ.get("URPO_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"the screen differs from {path}"


def hide_sizes(text):
    """What depends on the allocator is not the screen's business."""
    text = re.sub(r"\d+ %  \d+\.\d (KiB|MiB|…)", "? %  ?.? MiB", text)
    return re.sub(r"\d+\.\d (KiB|MiB|…)", "?.? MiB", text)


async def look(driver):
    return driver.text


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, size) for size in SIZES for name in SCREENS),
        *((name, TINY) for name in ON_A_TINY_ONE),
    ],
    ids=lambda each: each if isinstance(each, str) else "x".join(map(str, each)),
)
def test_screen(store, name, size):
    text = drive(look, store, size, SCREENS[name])
    lines = text.splitlines()
    assert len(lines) <= size[1]
    assert all(width(line) <= size[0] for line in lines)
    # The way to all keys is never cut off.
    assert "all keys" in lines[-1] or name == "keys"
    check(f"{name}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("key", ["1", "2", "3", "4"])
def test_an_empty_store_says_why_and_what_to_set(key):
    with urpo_store.open() as empty:
        text = drive(look, empty, (80, 24), (key,))
    if key != "4":
        # Lines to paste into a shell, each in one piece.
        lines = [line.strip() for line in text.splitlines()]
        assert "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in lines
        assert "export OTEL_METRIC_EXPORT_INTERVAL=5000" in lines
    check(f"empty-{key}", text)


@pytest.mark.parametrize(
    "name",
    ["services", "service", "metric-quantiles", "metric-heat", "exemplars", "arrived", "keys"],
)
def test_plain_characters(store, monkeypatch, name):
    monkeypatch.setenv("URPO_STORE_ASCII", "1")
    text = drive(look, store, (80, 24), SCREENS[name])
    assert text.isascii(), text
    check(f"{name}-ascii", text)


def colours(driver):
    """Every colour on the screen."""
    return {
        colour
        for strip in driver.app.screen._compositor.render_strips()
        for part in strip
        if part.style is not None
        for colour in (part.style.color, part.style.bgcolor)
        if colour is not None
    }


@pytest.mark.parametrize("name", ["services", "service", "metric-heat", "arrived", "query", "keys"])
def test_the_sixteen_colours_of_the_terminal_are_enough(store, name):
    async def see(driver):
        driver.app.notify("something")
        await driver.settle()
        return colours(driver)

    found = drive(see, store, (80, 24), SCREENS[name])
    assert {colour.type for colour in found} <= {ColorType.DEFAULT, ColorType.STANDARD}
    if name in ("services", "service"):
        assert ColorType.STANDARD in {colour.type for colour in found}


@pytest.mark.parametrize("name", ["services", "service", "keys"])
def test_no_color(store, monkeypatch, name):
    monkeypatch.setenv("NO_COLOR", "1")

    async def see(driver):
        return colours(driver), driver.text

    found, text = drive(see, store, (80, 24), SCREENS[name])
    assert {colour.type for colour in found} <= {ColorType.DEFAULT}
    if name == "services":
        # Trouble reads without colours.
        (row,) = [line for line in text.splitlines() if line.startswith("checkout ")]
        assert "!!" in row
