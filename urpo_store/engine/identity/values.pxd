# Attribute values in canonical bytes: a type tag and a payload, so that 1, "1", 1.0, true, b"1",
# ["1"], {"1": ""}, "" and no value are nine different byte strings, and equal values are equal bytes.
#
#   s UTF-8 text | i int64 LE | d float64 bits LE | b 0 or 1 | y bytes | n no value
#   a  each element: u32 LE length, canonical bytes
#   m  each entry, sorted by key bytes: u32 LE key length, key, u32 LE value length, canonical bytes;
#      of equal keys the last one counts
#
# The Python side is encode_value / decode_value in identity/values.pyx.
