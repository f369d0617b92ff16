"""Nothing here is called from Python; see sealing.pxd. Tests come in through series_buffers."""
