"""Nothing here is called from Python; see layout.pxd. Tests come in through series_buffers."""
