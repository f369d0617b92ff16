"""Nothing here is called from Python; see rows.pxd. Tests come in through series_buffers."""
