"""Nothing here is called from Python; see chunks/layout.pxd. Tests come in through series_buffers."""
