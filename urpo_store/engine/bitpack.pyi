"""Nothing here is called from Python; see bitpack.pxd. Tests come in through codec."""
