"""Nothing here is for Python; the contract is in chunks/full_tails.pxd."""
