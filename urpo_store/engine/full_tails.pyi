"""Nothing here is for Python; the contract is in full_tails.pxd."""
