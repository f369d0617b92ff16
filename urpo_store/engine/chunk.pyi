"""Nothing here is called from Python; see chunk.pxd. Tests come in through series_buffers."""
