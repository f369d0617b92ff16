"""Return codes as exceptions, for tests of memory/failures."""
from urpo_store.engine.memory.failures cimport failure
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY, STOPPED

CODES = {"NO_MEMORY": NO_MEMORY, "BAD_BYTES": BAD_BYTES, "STOPPED": STOPPED}


def exception_of(int code, str doing not None):
    """The exception, which is not raised."""
    return failure(code, doing)
