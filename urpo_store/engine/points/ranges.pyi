"""Nothing here is called from Python; see points/ranges.pxd. Tests come in through series_buffers."""
