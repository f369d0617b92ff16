"""Nothing here is called from Python; see codec/integers.pxd. Tests come in through codec."""
