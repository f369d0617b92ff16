"""Writes Arrow's IPC streams, without any Arrow library.

Format: https://arrow.apache.org/docs/format/Columnar.html, "Serialization and Interprocess
Communication"; slots of the tables: Schema.fbs and Message.fbs there. A stream is a schema, then
dictionaries, then batches. Each is a message: a FlatBuffer that says what it is and where its
buffers are, then the buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..query.arrow_capsule import Column, Field
from . import flatbuffers as flat

#: Media type of an IPC stream.
STREAM = "application/vnd.apache.arrow.stream"

_V5 = 4  # MetadataVersion
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # MessageHeader
_CONTINUES = b"\xff\xff\xff\xff"
_END = _CONTINUES + bytes(4)


def _int(bits: int, signed: bool) -> flat.Object:
    return flat.table(("i", bits), ("b", signed))


#: Formats of the C data interface as members of the union Type: (its number, its table).
_TYPES: dict[bytes, tuple[int, flat.Object]] = {
    b"i": (2, _int(32, True)),
    b"l": (2, _int(64, True)),
    b"L": (2, _int(64, False)),
    b"g": (3, flat.table(("h", 2))),  # double precision
    b"z": (4, flat.table()),
    b"u": (5, flat.table()),
    b"b": (6, flat.table()),
    b"tsn:UTC": (10, flat.table(("h", 3), flat.text("UTC"))),  # nanoseconds
    b"+L": (21, flat.table()),
}


def ipc_stream(
    schema: Field, batches: Iterable[Column], metadata: Mapping[str, bytes]
) -> Iterator[Any]:
    """The pieces of a stream, all bytes-like; `metadata` is the schema's, its values UTF-8."""
    yield from _message(_SCHEMA, _schema(schema, metadata), [])
    columns = schema.children
    written = False
    for batch in batches:
        if not written:
            for number, (field, column) in enumerate(zip(columns, batch.children, strict=True)):
                if field.dictionary is not None and column.dictionary is not None:
                    yield from _dictionary(number, column.dictionary)
            written = True
        yield from _message(_BATCH, *_record_batch(batch.length, batch.children))
    yield _END


def _schema(schema: Field, metadata: Mapping[str, bytes]) -> flat.Object:
    fields = [_field(field, number) for number, field in enumerate(schema.children)]
    pairs = [flat.table(flat.text(key), flat.text(value)) for key, value in metadata.items()]
    return flat.table(("h", 0), flat.tables(fields), flat.tables(pairs))


def _field(field: Field, number: int) -> flat.Object:
    """A nullable field; its dictionary has the number of the column."""
    encoded = None
    kind = field
    if field.dictionary is not None:
        kind = field.dictionary
        encoded = flat.table(("q", number), _TYPES[field.format][1])
    union, kind_table = _TYPES[kind.format]
    children = [_field(child, number) for child in field.children]
    return flat.table(
        flat.text(field.name), ("b", 1), ("B", union), kind_table, encoded, flat.tables(children)
    )


def _dictionary(number: int, values: Column) -> Iterator[Any]:
    batch, buffers = _record_batch(values.length, [values])
    return _message(_DICTIONARY, flat.table(("q", number), batch), buffers)


def _record_batch(length: int, columns: Iterable[Column]) -> tuple[flat.Object, list[Any]]:
    """The table of a batch, and its buffers with what pads each to eight bytes."""
    nodes: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    buffers: list[Any] = []
    end = 0

    def add(column: Column) -> None:
        nonlocal end
        nodes.append((column.length, column.null_count))
        for buffer in column.buffers:
            size = 0 if buffer is None else int(buffer.nbytes)
            places.append((end, size))
            if size:
                padding = -size % 8
                buffers.extend((buffer, bytes(padding)))
                end += size + padding
        for child in column.children:
            add(child)

    for column in columns:
        add(column)
    return flat.table(("q", length), flat.pairs(nodes), flat.pairs(places)), buffers


def _message(kind: int, header: flat.Object, buffers: list[Any]) -> Iterator[Any]:
    body = sum(memoryview(buffer).nbytes for buffer in buffers)
    described = flat.buffer_of(flat.table(("h", _V5), ("B", kind), header, ("q", body)))
    yield _CONTINUES + struct.pack("<i", len(described)) + described
    yield from buffers
