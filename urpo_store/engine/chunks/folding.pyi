"""Nothing here is called from Python; see chunks/folding.pxd. Tests come in through series_buffers."""
