"""Nothing here is called from Python; see codec/streams.pxd. Tests come in through codec."""
