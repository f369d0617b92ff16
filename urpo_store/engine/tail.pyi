"""Nothing here is called from Python; see tail.pxd. Tests come in through series_buffers."""
