"""Nothing here is called from Python; see chunks/addition.pxd. Tests come in through series_buffers."""
