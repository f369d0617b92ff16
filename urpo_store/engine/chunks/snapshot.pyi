"""Nothing here is called from Python; see chunks/snapshot.pxd. Tests come in through series_buffers."""
