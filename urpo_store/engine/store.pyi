"""Nothing here is for Python; the contract is in store.pxd."""
