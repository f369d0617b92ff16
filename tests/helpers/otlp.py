"""OTLP bytes, re-ordered and re-cut as other producers write them.

Everything here works on the bytes and the descriptors of opentelemetry-proto: what comes out means
the same as what went in, to protobuf's own decoder.
"""

import random
import struct

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

REQUEST = ExportMetricsServiceRequest.DESCRIPTOR
FIXED64 = (FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_DOUBLE)


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """[(number, wire type, value bytes without tag and length)] of a message."""
    found = []
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        begin = at
        if kind == 0:
            _, at = read_varint(data, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        else:
            assert kind == 2, kind
            length, begin = read_varint(data, at)
            at = begin + length
        found.append((number, kind, data[begin:at]))
    return found


def field(number, kind, value):
    length = varint(len(value)) if kind == 2 else b""
    return varint(number << 3 | kind) + length + value


def rewrite(data, descriptor, change):
    """A message with `change` applied to the list of its fields, and of those of all inside it."""
    made = []
    for number, kind, value in fields(data):
        inside = descriptor.fields_by_number.get(number)
        if kind == 2 and inside is not None and inside.message_type is not None:
            value = rewrite(value, inside.message_type, change)
        made.append((number, kind, value))
    return b"".join(field(*each) for each in change(made, descriptor))


def reverse_fields(data, descriptor=REQUEST):
    """Every message back to front, as the Collector writes it; repeated fields keep their order."""

    def change(made, _):
        numbers = sorted({number for number, _, _ in made}, reverse=True)
        return [each for wanted in numbers for each in made if each[0] == wanted]

    return rewrite(data, descriptor, change)


def shuffle_fields(data, seed, descriptor=REQUEST):
    """Fields in random order; elements of a repeated field, and oneof members, keep theirs."""
    chance = random.Random(seed)

    def change(made, described):
        # One queue a field number, members of a oneof together; drawn from at random.
        queues = {}
        for each in made:
            known = described.fields_by_number.get(each[0])
            oneof = known.containing_oneof if known is not None else None
            queues.setdefault(oneof.name if oneof is not None else each[0], []).append(each)
        order = [name for name, queue in queues.items() for _ in queue]
        chance.shuffle(order)
        return [queues[name].pop(0) for name in order]

    return rewrite(data, descriptor, change)


def unpack_packed(data, descriptor=REQUEST):
    """Packed repeated numbers one by one, as old encoders write them."""

    def change(made, described):
        out = []
        for number, kind, value in made:
            known = described.fields_by_number.get(number)
            if kind == 2 and known is not None and known.is_repeated and known.message_type is None:
                if known.type in FIXED64:
                    out += [(number, 1, value[i : i + 8]) for i in range(0, len(value), 8)]
                    continue
                if known.type == FieldDescriptor.TYPE_UINT64:
                    at = 0
                    while at < len(value):
                        begin = at
                        _, at = read_varint(value, at)
                        out.append((number, 0, value[begin:at]))
                    continue
            out.append((number, kind, value))
        return out

    return rewrite(data, descriptor, change)


def split_messages(data, seed, descriptor=REQUEST):
    """Singular sub-messages cut in two at a field, which decoders must merge."""
    chance = random.Random(seed)

    def change(made, described):
        out = []
        for number, kind, value in made:
            known = described.fields_by_number.get(number)
            single = known is not None and known.message_type is not None and not known.is_repeated
            if kind == 2 and single and value and chance.random() < 0.5:
                inner = fields(value)
                cut = chance.randrange(len(inner) + 1)
                for part in (inner[:cut], inner[cut:]):
                    out.append((number, kind, b"".join(field(*each) for each in part)))
            else:
                out.append((number, kind, value))
        return out

    return rewrite(data, descriptor, change)


def add_unknown(data, seed, descriptor=REQUEST):
    """Fields and groups that no OTLP message has, sprinkled in."""
    chance = random.Random(seed)
    unknown = [
        field(900, 0, varint(7)),
        field(901, 2, b"\xff\xfe"),
        field(902, 5, b"abcd"),
        field(903, 1, b"abcdefgh"),
        varint(904 << 3 | 3) + field(1, 0, b"\x01") + varint(904 << 3 | 4),
    ]

    def insert(message, described):
        out = b""
        for number, kind, value in fields(message):
            known = described.fields_by_number.get(number)
            if kind == 2 and known is not None and known.message_type is not None:
                value = insert(value, known.message_type)
            out += field(number, kind, value)
            if chance.random() < 0.3:
                out += chance.choice(unknown)
        return out

    return insert(data, descriptor)


def bits(value):
    """The bits of a float64."""
    return struct.unpack("<Q", struct.pack("<d", value))[0]
