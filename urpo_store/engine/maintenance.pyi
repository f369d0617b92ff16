"""Nothing here is for Python; the contract is in maintenance.pxd."""
