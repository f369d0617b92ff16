"""What is fast, and how fast; tests' helpers and drivers are on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
