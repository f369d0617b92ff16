"""Nothing here is called from Python; see series_chunks.pxd. Tests come in through series_buffers."""
