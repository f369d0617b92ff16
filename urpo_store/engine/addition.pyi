"""Nothing here is called from Python; see addition.pxd. Tests come in through series_buffers."""
