"""Nothing here is called from Python; see folding.pxd. Tests come in through series_buffers."""
