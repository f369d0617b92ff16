"""Nothing here is called from Python; see snapshot.pxd. Tests come in through series_buffers."""
