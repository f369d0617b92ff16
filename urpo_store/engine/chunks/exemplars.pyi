"""Nothing here is called from Python; see chunks/exemplars.pxd. Tests come in through series_buffers."""
