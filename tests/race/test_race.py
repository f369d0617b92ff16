"""The short form of `make race`: the checkers on the engine as built, ThreadSanitizer once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from race.mutants import MUTANTS, Mutant
from race.workshop import HERE, LOCK_FREE, RACE_MODULES, ROOT, SUFFIX, Workshop, has_sanitizer


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path_factory.mktemp("race"), flags=("-O1", "-g0"))
    workshop.cythonize()
    yield workshop


def use_built_engine(workshop: Workshop, variant: str) -> None:
    workshop.begin(variant)
    for module in LOCK_FREE:
        link = (workshop.directory / variant / module).with_suffix(SUFFIX)
        link.symlink_to((ROOT / module).with_suffix(SUFFIX))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.variant)
def test_a_mutant_names_the_module_that_has_its_bug(mutant: Mutant) -> None:
    place = HERE if mutant.module in RACE_MODULES.values() else ROOT
    assert f"MUTANT_{mutant.name}" in (place / f"{mutant.module}.pyx").read_text() or any(
        f"MUTANT_{mutant.name}" in header.read_text()
        for header in (ROOT / "urpo_store/engine/memory").glob("atomics.*")
    )


@pytest.mark.parametrize("race", RACE_MODULES)
def test_the_checker_finds_nothing_wrong(workshop: Workshop, race: str) -> None:
    use_built_engine(workshop, f"built-{race}")
    workshop.compile(RACE_MODULES[race], f"built-{race}")
    outcome = workshop.run(f"built-{race}", race, 12_000)
    assert not outcome.caught_by, outcome.text


def test_the_checker_would_find_it(workshop: Workshop) -> None:
    """A drain that shows the watermark before the append loses points for a moment, or shows them twice."""
    use_built_engine(workshop, "mutant")
    workshop.compile(RACE_MODULES["ring"], "mutant", "WATERMARK_EARLY")
    outcome = workshop.run("mutant", "ring", 12_000)
    assert outcome.caught_by == "checker"
    assert any(found in outcome.text for found in ("did not find", "not the next one", "or twice"))


@pytest.mark.skipif(not has_sanitizer(), reason="gcc has no ThreadSanitizer library here")
def test_thread_sanitizer_is_silent_about_the_ring(workshop: Workshop, tmp_path: Path) -> None:
    sanitized = Workshop(tmp_path)
    (tmp_path / "c").symlink_to(workshop.directory / "c")
    sanitized.build_clean([*LOCK_FREE, RACE_MODULES["ring"]])
    outcome = sanitized.run("clean", "ring", 4_000)
    assert not outcome.caught_by, outcome.text
