"""Nothing here is for Python; the contract is in drain.pxd."""
