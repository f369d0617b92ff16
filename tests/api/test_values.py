"""Attribute values in JSON."""

import json
import math

import numpy as np
import pytest
from helpers.same import typed
from hypothesis import given
from hypothesis import strategies as st

from urpo_store import model
from urpo_store.api.scalars import JsonError, dumps
from urpo_store.api.values import decode_value, encode_value

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_attribute_values_keep_their_types(value: model.AttributeValue) -> None:
    tree = json.loads(dumps(encode_value(value)))
    assert typed(decode_value(tree)) == typed(value)


def test_nan_stays_nan_in_attributes() -> None:
    tree = encode_value(math.nan)
    assert tree == {"doubleValue": "NaN"}
    assert math.isnan(decode_value(tree))


def test_numpy_values_are_attribute_values() -> None:
    assert encode_value(np.int64(1)) == {"intValue": "1"}
    assert encode_value(np.bool_(True)) == {"boolValue": True}
    with pytest.raises(JsonError, match="no attribute value"):
        encode_value(object())
