"""Nothing here is called from Python; see chunks/clock.pxd. Tests come in through series_buffers."""
