"""Nothing here is for Python; the contract is in identity/catalog.pxd."""
