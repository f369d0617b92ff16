"""Series, attributes and moments as people write them; one line each."""

from __future__ import annotations

import base64
import datetime
import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from ..model import AttributeValue, MetricSeries


def label(series: MetricSeries, without: Collection[str] = ()) -> str:
    """A name that tells a series from its neighbours: service and attributes, types visible.

    Attributes in `without` are left out, and the service if "" is in it.
    """
    parts = [] if series.service is None or "" in without else [series.service]
    kept = {key: value for key, value in series.attributes.items() if key not in without}
    return " ".join([*parts, pairs(kept)] if kept else parts) or "(all)"


def pairs(attributes: Mapping[str, AttributeValue]) -> str:
    """Attributes as people write them, types visible: route=/pay status=500 id="7"."""
    return " ".join(f"{key}={_shown(value)}" for key, value in attributes.items())


def _shown(value: AttributeValue) -> str:
    """Text as it is, unless it could be taken for another type; everything else as JSON."""
    if isinstance(value, str):
        bare = re.fullmatch(r"[^\s\"{}\[\],]+", value)
        looks = re.fullmatch(r"-?[\d.]+([eE][-+]?\d+)?|true|false|null", value)
        return value if bare and not looks else json.dumps(value, ensure_ascii=False)
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: bytes as base64 in an object, NaN as null."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def clock(timestamp: int) -> str:
    moment = datetime.datetime.fromtimestamp(timestamp / 1e9)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{timestamp // 10**6 % 1000:03d}"
