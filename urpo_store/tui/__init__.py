"""The terminal UI, in front of any `MetricStorage`.

app         the application: global keys, switching between screens
services, service, metrics, metric, exemplars, arrived, query    one screen each
view        the base of all screens: loading in a thread, title, filter, export
series_view    the base of screens whose rows belong to one metric
feed, service_data, metric_data    the questions that screens ask the storage
text_box, row_list, chart, keys    the widgets of screens
look        how figures and trouble are written and coloured
state       the range of time on the screens, and whether it is paused
"""

from .app import UrpoApp

__all__ = ["UrpoApp"]
