"""Nothing here is called from Python; see codec/huffman.pxd. Tests come in through codec."""
