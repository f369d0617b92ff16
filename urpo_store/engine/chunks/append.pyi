"""Nothing here is called from Python; see chunks/append.pxd. Tests come in through series_buffers."""
