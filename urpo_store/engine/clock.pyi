"""Nothing here is called from Python; see clock.pxd. Tests come in through series_buffers."""
