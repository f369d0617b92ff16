"""The command `urpo-store`, and `python -m urpo_store.cli`."""

from .main import main

__all__ = ["main"]
