"""Nothing here is called from Python; see codec/decimals.pxd. Tests come in through codec."""
