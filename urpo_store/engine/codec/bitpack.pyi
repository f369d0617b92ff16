"""Nothing here is called from Python; see codec/bitpack.pxd. Tests come in through codec."""
