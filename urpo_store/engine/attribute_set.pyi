"""Nothing here is for Python; the contract is in attribute_set.pxd."""
