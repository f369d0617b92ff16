"""Nothing here is called from Python; see exponential.pxd. Tests come in through series_buffers."""
