# cython: boundscheck=False, wraparound=False, auto_pickle=False, autotestdict=False
"""Columns as an Arrow C stream in a capsule, without any Arrow library.

Source of the layout: "The Arrow C data interface" and "The Arrow PyCapsule Interface" of the Apache
Arrow documentation. Buffers are numpy arrays; every struct that is handed out owns references to
what it points at, so the consumer may release schema, arrays and stream in any order and from any
thread: the release callbacks take the GIL. Children and dictionaries may be moved out of their
parent (their `release` is then NULL), so each owns its own things.
"""
cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef extern from "errno.h":
    enum: ENOMEM
    enum: EIO

cdef extern from "Python.h":
    int Py_IsInitialized() noexcept nogil

cdef struct ArrowSchema:
    const char *format
    const char *name
    const char *metadata
    int64_t flags
    int64_t n_children
    ArrowSchema **children
    ArrowSchema *dictionary
    void (*release)(ArrowSchema *) noexcept nogil
    void *private_data

cdef struct ArrowArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    const void **buffers
    ArrowArray **children
    ArrowArray *dictionary
    void (*release)(ArrowArray *) noexcept nogil
    void *private_data

cdef struct ArrowArrayStream:
    int (*get_schema)(ArrowArrayStream *, ArrowSchema *) noexcept nogil
    int (*get_next)(ArrowArrayStream *, ArrowArray *) noexcept nogil
    const char *(*get_last_error)(ArrowArrayStream *) noexcept nogil
    void (*release)(ArrowArrayStream *) noexcept nogil
    void *private_data

cdef enum:
    NULLABLE = 2        # ARROW_FLAG_NULLABLE


@cython.final
cdef class Field:
    """A column's type; `format` is Arrow's format string, children and dictionary are fields."""

    cdef readonly bytes name
    cdef readonly bytes format
    cdef readonly tuple children
    cdef readonly Field dictionary

    def __init__(self, str name not None, str format not None, children=(), Field dictionary=None):
        self.name = name.encode("utf-8", "replace").replace(b"\0", b"?")
        self.format = format.encode()
        self.children = tuple(children)
        self.dictionary = dictionary


@cython.final
cdef class Column:
    """Values of a field: contiguous numpy arrays as Arrow's buffers (None: no validity bitmap)."""

    cdef readonly int64_t length
    cdef readonly int64_t null_count
    cdef readonly tuple buffers
    cdef readonly tuple children
    cdef readonly Column dictionary

    def __init__(
        self, int64_t length, buffers, int64_t null_count=0, children=(), Column dictionary=None
    ):
        self.length = length
        self.null_count = null_count
        self.buffers = tuple(buffers)
        self.children = tuple(children)
        self.dictionary = dictionary


@cython.final
cdef class BatchSource:
    """What a capsule's stream reads from: the schema, and an iterator of batches."""

    cdef Field schema
    cdef object batches
    cdef bytes error


def stream_capsule(Field schema not None, batches):
    """A PyCapsule "arrow_array_stream" of struct columns; the reader pulls `batches`."""
    cdef BatchSource source = BatchSource()
    source.schema = schema
    source.batches = iter(batches)
    source.error = b""
    cdef ArrowArrayStream *stream = <ArrowArrayStream *>calloc(1, sizeof(ArrowArrayStream))
    if stream == NULL:
        raise MemoryError("no memory for an Arrow stream")
    stream.get_schema = stream_get_schema
    stream.get_next = stream_get_next
    stream.get_last_error = stream_get_last_error
    stream.release = stream_release
    Py_INCREF(source)
    stream.private_data = <void *>source
    try:
        return PyCapsule_New(stream, "arrow_array_stream", capsule_destroy)
    except BaseException:
        stream_release(stream)
        free(stream)
        raise


cdef void capsule_destroy(object capsule) noexcept:
    # A consumer that took the stream has set `release` to NULL; the struct itself is ours to free.
    cdef ArrowArrayStream *stream = <ArrowArrayStream *>PyCapsule_GetPointer(
        capsule, "arrow_array_stream")
    if stream.release != NULL:
        stream.release(stream)
    free(stream)


cdef void drop(void *owned) noexcept nogil:
    """Gives a Python reference back; after the interpreter has ended there is nothing to give."""
    if owned != NULL and Py_IsInitialized():
        with gil:
            Py_XDECREF(<PyObject *>owned)


cdef int stream_get_schema(ArrowArrayStream *stream, ArrowSchema *out) noexcept nogil:
    with gil:
        source = <BatchSource>stream.private_data
        try:
            export_schema(source.schema, out, 0)
            return 0
        except BaseException as error:
            source.error = repr(error).encode()
            return EIO


cdef int stream_get_next(ArrowArrayStream *stream, ArrowArray *out) noexcept nogil:
    with gil:
        source = <BatchSource>stream.private_data
        memset(out, 0, sizeof(ArrowArray))      # `release` NULL: the end
        try:
            batch = next(source.batches, None)
            if batch is not None:
                export_array(batch, out)
            return 0
        except MemoryError:
            source.error = b"no memory for a batch"
            return ENOMEM
        except BaseException as error:
            source.error = repr(error).encode()
            return EIO


cdef const char *stream_get_last_error(ArrowArrayStream *stream) noexcept nogil:
    with gil:
        source = <BatchSource>stream.private_data
        return <const char *>source.error if source.error else NULL


cdef void stream_release(ArrowArrayStream *stream) noexcept nogil:
    drop(stream.private_data)
    stream.private_data = NULL
    stream.release = NULL


cdef int export_schema(Field field, ArrowSchema *out, int64_t flags) except -1:
    cdef Py_ssize_t i
    memset(out, 0, sizeof(ArrowSchema))
    out.release = schema_release
    Py_INCREF(field)
    out.private_data = <void *>field        # owns format and name
    out.format = field.format
    out.name = field.name
    out.flags = flags
    try:
        if field.children:
            out.children = <ArrowSchema **>calloc(len(field.children), sizeof(ArrowSchema *))
            if out.children == NULL:
                raise MemoryError("no memory for an Arrow schema")
            for i in range(len(field.children)):
                out.children[i] = <ArrowSchema *>calloc(1, sizeof(ArrowSchema))
                if out.children[i] == NULL:
                    raise MemoryError("no memory for an Arrow schema")
                out.n_children = i + 1
                export_schema(field.children[i], out.children[i], NULLABLE)
        if field.dictionary is not None:
            out.dictionary = <ArrowSchema *>calloc(1, sizeof(ArrowSchema))
            if out.dictionary == NULL:
                raise MemoryError("no memory for an Arrow schema")
            export_schema(field.dictionary, out.dictionary, NULLABLE)
    except BaseException:
        schema_release(out)
        raise
    return 0


cdef void schema_release(ArrowSchema *schema) noexcept nogil:
    cdef int64_t i
    for i in range(schema.n_children):
        if schema.children[i].release != NULL:
            schema.children[i].release(schema.children[i])
        free(schema.children[i])
    free(schema.children)
    if schema.dictionary != NULL:
        if schema.dictionary.release != NULL:
            schema.dictionary.release(schema.dictionary)
        free(schema.dictionary)
    drop(schema.private_data)
    schema.release = NULL


cdef int export_array(Column column, ArrowArray *out) except -1:
    cdef Py_ssize_t i
    memset(out, 0, sizeof(ArrowArray))
    out.release = array_release
    Py_INCREF(column)
    out.private_data = <void *>column       # owns the buffers
    out.length = column.length
    out.null_count = column.null_count
    try:
        out.n_buffers = len(column.buffers)
        out.buffers = <const void **>calloc(len(column.buffers) + 1, sizeof(void *))
        if out.buffers == NULL:
            raise MemoryError("no memory for an Arrow array")
        for i in range(len(column.buffers)):
            if column.buffers[i] is not None:
                out.buffers[i] = <const void *><uintptr_t>column.buffers[i].ctypes.data
        if column.children:
            out.children = <ArrowArray **>calloc(len(column.children), sizeof(ArrowArray *))
            if out.children == NULL:
                raise MemoryError("no memory for an Arrow array")
            for i in range(len(column.children)):
                out.children[i] = <ArrowArray *>calloc(1, sizeof(ArrowArray))
                if out.children[i] == NULL:
                    raise MemoryError("no memory for an Arrow array")
                out.n_children = i + 1
                export_array(column.children[i], out.children[i])
        if column.dictionary is not None:
            out.dictionary = <ArrowArray *>calloc(1, sizeof(ArrowArray))
            if out.dictionary == NULL:
                raise MemoryError("no memory for an Arrow array")
            export_array(column.dictionary, out.dictionary)
    except BaseException:
        array_release(out)
        raise
    return 0


cdef void array_release(ArrowArray *array) noexcept nogil:
    cdef int64_t i
    for i in range(array.n_children):
        if array.children[i].release != NULL:
            array.children[i].release(array.children[i])
        free(array.children[i])
    free(array.children)
    if array.dictionary != NULL:
        if array.dictionary.release != NULL:
            array.dictionary.release(array.dictionary)
        free(array.dictionary)
    free(array.buffers)
    drop(array.private_data)
    array.release = NULL
