"""Nothing here is called from Python; see decimals.pxd. Tests come in through codec."""
