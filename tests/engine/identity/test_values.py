"""Canonical attribute values: nine different things are nine different byte strings."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urpo_store.engine.identity.values import decode_value, encode_value

#: What the rules call nine different things; absent is no value at all, and has no bytes.
DIFFERENT = [1, "1", 1.0, True, b"1", ["1"], {"1": ""}, "", None]

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(),
        st.binary(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=12,
)


def test_nine_different_things_stay_different():
    assert len({encode_value(value) for value in DIFFERENT}) == len(DIFFERENT)


@given(values)
def test_round_trip(value):
    found = decode_value(encode_value(value))
    assert found == value
    assert repr(found) == repr(value) or isinstance(value, dict | list)


@given(st.dictionaries(st.text(), values))
def test_maps_are_unordered(value):
    backwards = dict(reversed(list(value.items())))
    assert encode_value(value) == encode_value(backwards)


def test_doubles_are_told_by_their_bits():
    assert encode_value(0.0) != encode_value(-0.0)
    assert math.isnan(decode_value(encode_value(math.nan)))


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_int_beyond_64_bits_is_refused(value):
    with pytest.raises(OverflowError):
        encode_value(value)


def test_what_otlp_has_no_type_for_is_named():
    with pytest.raises(TypeError, match="set"):
        encode_value({1, 2})


def test_bytes_that_are_no_value_are_named():
    with pytest.raises(ValueError, match="no canonical value"):
        decode_value(b"?")
