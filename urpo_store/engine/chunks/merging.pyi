"""Nothing here is called from Python; see chunks/merging.pxd. Tests come in through series_buffers."""
