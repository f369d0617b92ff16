"""Nothing here is called from Python; see integers.pxd. Tests come in through codec."""
