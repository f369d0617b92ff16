"""Nothing here is called from Python; see bins.pxd. Tests come in through codec."""
