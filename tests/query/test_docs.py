"""The examples of docs/queries.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"


def test_the_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(examples) == 4
    namespace: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), namespace)
    namespace["store"].close()
