"""The terminal UI: what a person looks at. It knows a `MetricStorage` and nothing else of the store.

state       the time that is looked at: range, pause
look        how figures and trouble are written and coloured
text_box, row_list, chart, keys    what screens are made of
view        what all screens share: loading in a thread, title, filter, export
services, service, metrics, metric, exemplars, arrived, query    a screen each
feed, service_data, metric_data    what screens ask the storage
app         keys that hold everywhere, and the way from screen to screen
"""

from .app import UrpoApp

__all__ = ["UrpoApp"]
