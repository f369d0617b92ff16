"""Nothing here is for Python; the contract is in identity/sets.pxd."""
