"""Nothing here is called from Python; see chunks/chunk.pxd. Tests come in through series_buffers."""
