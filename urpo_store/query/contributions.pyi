"""Which point each point is measured against; see bases.pxd."""

from urpo_store.model import Int64Array
from urpo_store.query.source import Scanned

SKIP: int

def every(scanned: Scanned) -> Int64Array: ...
def newest(scanned: Scanned, first_instant: int, step: int) -> Int64Array: ...
