"""Fixtures for all tests; helpers that several test modules share live in tests/helpers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
