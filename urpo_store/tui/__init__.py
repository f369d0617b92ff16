"""The terminal UI: what a person looks at. It knows a `MetricStorage` and nothing else of the store.

state      the time that is looked at: range, pause
look       how figures and trouble are written and coloured
table      rows with a cursor, sorted and filtered
view       what all screens share: loading in a thread, title, filter, export
services, service, metrics, metric, arrived, query    a screen each
app        keys that hold everywhere, and the way from screen to screen
"""

from .app import UrpoApp

__all__ = ["UrpoApp"]
