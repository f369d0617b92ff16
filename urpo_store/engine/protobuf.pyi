"""Nothing here is for Python; the contract is in protobuf.pxd."""
