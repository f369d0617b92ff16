"""From return codes to exceptions; the contract is in failures.pxd."""
from urpo_store.engine.memory.status cimport BAD_BYTES, NO_MEMORY

from urpo_store.errors import CorruptionError


cdef object failure(int code, str doing):
    if code == NO_MEMORY:
        return MemoryError(f"no memory to {doing}")
    if code == BAD_BYTES:
        return CorruptionError(f"could not {doing}: stored bytes are damaged")
    return RuntimeError(f"could not {doing}: the engine answered {code}")
