"""Nothing here is called from Python; see chunks/work.pxd. Tests come in through series_buffers."""
