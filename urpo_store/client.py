"""`HttpStorage`, the client of a running `urpo-store serve`: what `open("http://...")` returns."""

from .api.client import HttpStorage

__all__ = ["HttpStorage"]
