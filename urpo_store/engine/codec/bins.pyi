"""Nothing here is called from Python; see codec/bins.pxd. Tests come in through codec."""
