"""Nothing here is for Python; the contract is in identity/series.pxd."""
