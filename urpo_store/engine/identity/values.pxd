# Attribute values in canonical bytes: a type tag and a payload. Equal values are equal bytes, and
# 1, "1", 1.0, true, b"1", ["1"], {"1": ""}, "" and no value are nine different byte strings.
#
#   s  UTF-8 text
#   i  int64, little endian
#   d  float64 bits, little endian
#   b  0 or 1
#   y  bytes
#   n  no value
#   a  each element: u32 LE length, canonical bytes
#   m  each entry, sorted by key bytes: u32 LE key length, key, u32 LE value length, canonical
#      bytes; of equal keys the last one counts
#
# wire/attributes writes it from requests; encode_value and decode_value of identity/values.pyx are
# for Python.
