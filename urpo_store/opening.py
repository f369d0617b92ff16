"""`urpo_store.open()`: opens the storage that a target names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, overload

from .errors import ConfigError
from .interfaces import MetricStorage
from .options import parse_options

if TYPE_CHECKING:
    from .embedded.store import MetricStore

#: Third parties register storages here; an entry point's name is the scheme of its URLs.
STORAGE_GROUP = "urpo_store.storage"


@overload
def open(target: None = None, **options: Any) -> MetricStore: ...


@overload
def open(target: str | os.PathLike[str], **options: Any) -> MetricStorage: ...


def open(target: str | os.PathLike[str] | None = None, **options: Any) -> MetricStorage:
    """Open a storage.

    Without a target: an in-memory store. "http://..." or "https://...": a running
    `urpo-store serve` (options: token, timeout, tls_ca, arrow). "scheme://...": a storage that a third
    party registered. A directory: a durable store, which is not built yet and raises ConfigError.

    Options of an in-memory store: retention="24h" | None, memory_limit="64MiB",
    max_series=100_000, max_attributes=128 and max_string=16384 (bytes) of one attribute set,
    ring_slots=32768, drain_interval="1s". Raises ConfigError for a wrong or unknown one.
    """
    if target is None:
        # Imported here: a client of a running serve needs no engine.
        from .embedded.store import MetricStore

        return MetricStore(parse_options(options))
    text = os.fspath(target)
    scheme, separator, _ = text.partition("://")
    if not separator:
        raise ConfigError(
            f"{text!r} names a directory, and durable stores are not built yet; "
            "open an in-memory store: urpo_store.open()"
        )
    if scheme in ("http", "https"):
        from .api.client import HttpStorage

        wrong = sorted(set(options) - {"token", "timeout", "tls_ca", "arrow"})
        if wrong:
            raise ConfigError(
                f"{wrong[0]}={options[wrong[0]]!r} is no option of a running serve; there are: "
                "token, timeout, tls_ca, arrow. What it keeps is said where it is started."
            )
        return HttpStorage(text, **options)
    # Imported here: it would take a third of the time of `import urpo_store`.
    from importlib.metadata import entry_points

    for entry in entry_points(group=STORAGE_GROUP, name=scheme):
        storage: MetricStorage = entry.load()(text, **options)
        return storage
    known = sorted({"http", "https", *(entry.name for entry in entry_points(group=STORAGE_GROUP))})
    raise ConfigError(
        f"no storage is registered for {scheme!r} (in {text!r}); known are {', '.join(known)}; "
        f"a package registers one under the entry-point group {STORAGE_GROUP!r}"
    )
