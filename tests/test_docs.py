"""What docs/architecture.md names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
STRUCTS = {
    found[1]: found[2]
    for path in (ROOT / "urpo_store/engine").rglob("*.p[xy][dx]")
    for found in re.finditer(
        r"cdef (?:struct|class) (\w+):.*?\n(.*?)(?=\n\S|\Z)", path.read_text(), re.S
    )
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+(?:\.[a-z]+)?)`", page.read_text())
    for name in named:
        if name.startswith(("http/", "application/")):
            continue
        for place in (ROOT / name, ROOT / "urpo_store" / name):
            if place.exists() or any(place.parent.glob(place.name + ".py*")):
                break
        else:
            pytest.fail(f"{page.name} names {name}, which is not there")


def test_every_field_that_is_named_exists():
    text = (ROOT / "docs/architecture.md").read_text()
    named = re.findall(r"`([A-Z][A-Za-z]+)\.([a-z_]+)`", text)
    assert len(named) > 15
    for struct, field in named:
        assert re.search(rf"\b{field}\b", STRUCTS[struct]), f"{struct} has no {field}"
    for struct in re.findall(r"`([A-Z][A-Za-z]+)`", text):
        assert struct in STRUCTS or struct == "MemoryError", struct
