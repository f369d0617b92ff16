"""Nothing here is called from Python; see chunks/series_chunks.pxd. Tests come in through series_buffers."""
