"""Nothing here is called from Python; see chunks.pxd. Tests come in through series_buffers."""
