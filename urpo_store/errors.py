"""The errors of urpo_store; every one derives from `UrpoStoreError`.

A message names the thing, the value and the remedy.
"""


class UrpoStoreError(Exception):
    """Base of all errors that urpo_store raises on purpose."""


class DecodeError(UrpoStoreError, ValueError):
    """The bytes are not an OTLP metrics request; nothing of the request was stored."""


class QueryError(UrpoStoreError, ValueError):
    """The query cannot be answered as asked."""


class StoreClosedError(UrpoStoreError):
    """The store has been closed, or belongs to the parent of this process."""


class StoreLockedError(UrpoStoreError):
    """Another process holds the store's directory."""


class CorruptionError(UrpoStoreError):
    """Stored bytes fail their check."""


class ConfigError(UrpoStoreError, ValueError):
    """An option has a value that cannot be used, or is not built yet."""


class UnreachableError(UrpoStoreError, ConnectionError):
    """The server of a remote store cannot be reached, or does not answer as one."""
