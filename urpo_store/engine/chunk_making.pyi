"""Nothing here is called from Python; see chunk_making.pxd. Tests come in through series_buffers."""
