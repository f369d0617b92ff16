"""Nothing here is called from Python; see exemplars.pxd. Tests come in through series_buffers."""
