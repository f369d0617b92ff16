"""Nothing here is called from Python; see merging.pxd. Tests come in through series_buffers."""
