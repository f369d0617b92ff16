"""All that a store took is given back."""

from __future__ import annotations

from drivers.series_buffers import SeriesBuffers
from helpers.series_points import KINDS, append, exemplar, script


def test_nothing_is_owned_after_closing() -> None:
    buffers = SeriesBuffers(KINDS)
    for series, step in script():
        if step == "seal":
            buffers.seal(series)
        else:
            append(buffers, series, step, (exemplar(step[0]),))
    assert buffers.close() == 0
