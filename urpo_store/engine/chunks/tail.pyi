"""Nothing here is called from Python; see chunks/tail.pxd. Tests come in through series_buffers."""
