"""Count, sum and extremes of histograms, by group and window."""

from typing import Any

from urpo_store.model import Int64Array
from urpo_store.query.select import Groups
from urpo_store.query.source import Scanned
from urpo_store.query.times import Windows

def totals(
    scanned: Scanned, bases: Int64Array, groups: Groups, windows: Windows
) -> tuple[Int64Array, Int64Array, Int64Array, dict[str, Any]]: ...
