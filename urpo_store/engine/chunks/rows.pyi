"""Nothing here is called from Python; see chunks/rows.pxd. Tests come in through series_buffers."""
