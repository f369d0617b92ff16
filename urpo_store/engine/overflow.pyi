"""Nothing here is for Python; the contract is in overflow.pxd."""
