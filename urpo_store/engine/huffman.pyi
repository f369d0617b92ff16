"""Nothing here is called from Python; see huffman.pxd. Tests come in through codec."""
