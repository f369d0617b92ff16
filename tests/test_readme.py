"""The example in the README is true: it runs, and prints what its reader would expect."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert len(example.strip().splitlines()) <= 32
    exec(compile(example, str(README), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert "{'currency': 'EUR'}" in lines[0] or "{'currency': 'EUR'}" in lines[1]
    assert lines[-1] == "['mailer', 'shop'] 62"
