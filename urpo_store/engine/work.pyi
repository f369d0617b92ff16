"""Nothing here is called from Python; see work.pxd. Tests come in through series_buffers."""
