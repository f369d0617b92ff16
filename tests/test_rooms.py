"""Arrows point one way: a room imports only rooms named before it.

Read from the sources, so that an arrow counts whether it is followed when a module is built, when it
is imported or when a function runs.
"""

import ast
import re
from pathlib import Path

import pytest
from helpers.memory_reader import MemoryReader

from urpo_store.embedded.reader import StoreReader
from urpo_store.query.source import Reader

PACKAGE = Path(__file__).parent.parent / "urpo_store"

#: In the order of docs/architecture.md; engine/ itself tells the story and comes last.
ENGINE = ("memory", "points", "codec", "wire", "chunks", "identity", "health", "")

#: Rooms and modules of the package, each after what it may import. The errors stand below the engine,
#: which raises them; they import nothing. The model is no room of the engine's: it stands beside it.
ROOMS = (
    ("errors",),
    ("engine", "model"),
    ("interfaces", "options"),
    ("otlp", "query"),
    ("embedded", "api", "render"),
    ("client",),
    ("opening",),
    ("",),  # urpo_store itself: the public names
    ("receiver",),
    ("tui",),
    ("cli",),
)

#: What query/ may use of the engine besides the Reader that it is given.
QUERY_MAY = (
    "urpo_store.query.",
    "urpo_store.engine.points.",  # what a point is, and the maths of buckets
    "urpo_store.engine.memory.status",  # what C functions return
)

CIMPORT = re.compile(r"^ *(?:from|cimport|import) +(urpo_store(?:\.\w+)+)", re.M)
NAMES = re.compile(r"^from (urpo_store[\w.]+) cimport (\([^)]*\)|[^\n]*)\n", re.M)


def engine_room(module: str) -> str:
    """Of "urpo_store.engine.codec.bits": "codec"."""
    parts = module.split(".")
    return parts[2] if len(parts) > 3 else ""


def cython_files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*.p[xy][xd]") if path.suffix in (".pyx", ".pxd"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def test_a_room_of_the_engine_imports_only_rooms_before_it():
    files = cython_files(PACKAGE / "engine")
    assert len(files) > 100
    against = []
    for path in files:
        room = ENGINE.index(engine_room(module_of(path)))
        for target in CIMPORT.findall(path.read_text()):
            if target.startswith("urpo_store.engine.") and ENGINE.index(engine_room(target)) > room:
                against.append(f"{module_of(path)} -> {target}")
    assert not against


def test_no_circle_of_modules():
    arrows: dict[str, set[str]] = {}
    for path in cython_files(PACKAGE):
        module = module_of(path)
        arrows.setdefault(module, set()).update(
            target for target in CIMPORT.findall(path.read_text()) if target != module
        )
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for target in sorted(arrows.get(module, ())):
                follow(target, (*way, module))
            done.add(module)

    for module in sorted(arrows):
        follow(module, ())
    assert len(done) > 60


@pytest.mark.parametrize("path", cython_files(PACKAGE), ids=module_of)
def test_what_is_cimported_is_used_here(path):
    """A .pxd that hands on what others declare recompiles its users for nothing."""
    text = path.read_text()
    body = re.sub(r"#.*", "", NAMES.sub("", text))
    for found in NAMES.finditer(text):
        for name in re.sub(r"[()\n]", " ", found[2]).split(","):
            if name.strip():
                word = name.split()[-1]
                assert re.search(rf"\b{word}\b", body), f"{word} of {found[1]} is not used"


def package_room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> set[str]:
    """The modules of ours that a Python file imports, at its head or in a function."""
    module = module_of(path).removesuffix(".__init__")
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name.startswith("urpo_store"))
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            target = ".".join([*base, *filter(None, [node.module])]) if node.level else node.module
            if not target.startswith("urpo_store"):
                continue
            for name in node.names:
                inside = PACKAGE.parent / target.replace(".", "/") / name.name
                there = inside.is_dir() or any(inside.parent.glob(f"{name.name}.py*"))
                found.add(f"{target}.{name.name}" if there else target)
    return found


#: Rooms whose functions take a storage.
GUESTS = ("receiver", "render", "tui", "cli")


def test_rooms_that_take_a_storage_know_its_interface_alone():
    """The receivers, the terminal and the commands work in front of any `MetricStorage`."""
    for room in GUESTS:
        files = sorted((PACKAGE / room).glob("*.py"))
        assert files
        for path in files:
            inside = {
                target
                for target in imports_of(path)
                if package_room(target) in ("engine", "embedded")
            }
            assert not inside, f"{module_of(path)} reaches into {', '.join(inside)}"


def test_model_and_interfaces_import_nothing_of_ours():
    assert imports_of(PACKAGE / "model.py") == set()
    assert imports_of(PACKAGE / "errors.py") == set()
    assert imports_of(PACKAGE / "interfaces.py") == {"urpo_store.model"}


def test_a_room_of_the_package_imports_only_rooms_before_it():
    levels = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
    arrows = {
        (module_of(path).removesuffix(".__init__"), target)
        for path in PACKAGE.rglob("*.py")
        for target in imports_of(path)
    } | {
        (module_of(path), target)
        for path in cython_files(PACKAGE)
        for target in CIMPORT.findall(path.read_text())
    }
    against = []
    for module, target in sorted(arrows):
        here, there = package_room(module), package_room(target)
        if here != there and levels[here] <= levels[there]:
            against.append(f"{module} -> {target}")
    assert not against, "\n".join(against)


def test_a_query_knows_a_reader_and_what_a_point_is():
    """Of the engine it uses the room below both: the maths of buckets, and the bits of a point."""
    for path in cython_files(PACKAGE / "query"):
        for target in CIMPORT.findall(path.read_text()):
            assert target.startswith(QUERY_MAY), f"{module_of(path)} -> {target}"
    for path in (PACKAGE / "query").rglob("*.py"):
        for target in imports_of(path):
            assert target.startswith(QUERY_MAY) or ".engine" not in target, (path, target)


def test_the_engine_and_queries_know_one_reader():
    """`query.source.Reader` is what a query knows; one class of the product is one."""
    needed = {name for name in vars(Reader) if not name.startswith("_")}
    readers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and {"scan", "streams"} <= {
                each.name for each in node.body if isinstance(each, ast.FunctionDef)
            }:
                readers.add(f"{module_of(path)}.{node.name}")
    assert readers == {
        "urpo_store.query.source.Reader",
        "urpo_store.embedded.reader.StoreReader",
    }
    assert needed <= set(dir(StoreReader))
    assert needed <= set(dir(MemoryReader))
