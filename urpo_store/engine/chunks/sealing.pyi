"""Nothing here is called from Python; see chunks/sealing.pxd. Tests come in through series_buffers."""
