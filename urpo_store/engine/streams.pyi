"""Nothing here is called from Python; see streams.pxd. Tests come in through codec."""
