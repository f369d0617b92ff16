"""Nothing here is for Python; the contract is in identity/overflow.pxd."""
