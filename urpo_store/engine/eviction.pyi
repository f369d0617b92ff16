"""Nothing here is called from Python; see eviction.pxd. Tests come in through series_buffers."""
