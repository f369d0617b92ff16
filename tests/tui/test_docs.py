"""docs/terminal.md shows every screen, and knows every key."""

import re
from pathlib import Path

from helpers.pictures import PICTURES
from helpers.terminal import drive

from urpo_store.tui.keys import bindings_of
from urpo_store.tui.look import key_name

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "terminal.md").read_text()
#: What every list does, and what needs no word.
KNOWN = {
    "Up",
    "Down",
    "PgUp",
    "PgDn",
    "Home",
    "End",
    "k",
    "j",
    "g",
    "G",
    "h",
    "l",
    "Tab",
    "Shift-Tab",
}
KNOWN |= {"Ctrl-C", "Ctrl-Q", "Ctrl-P", "q", "F1"}


def test_pictures():
    shown = set(re.findall(r"\]\(terminal/(\w+)\.svg\)", PAGE))
    assert shown == set(PICTURES) == {path.stem for path in (DOCS / "terminal").glob("*.svg")}
    for name in shown:
        assert (DOCS / "terminal" / f"{name}.svg").read_text().startswith("<svg")


def test_keys(store):
    async def keys(driver):
        return {key_name(binding.key) for binding in bindings_of(driver.app.screen)}

    for start in ((), ("enter",), ("2", "enter"), ("2", "down", "enter", "e"), ("4", "escape")):
        for key in drive(keys, store, keys=start) - KNOWN:
            assert f"`{key}`" in PAGE, key
