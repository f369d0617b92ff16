"""Nothing here is called from Python; see chunks/eviction.pxd. Tests come in through series_buffers."""
