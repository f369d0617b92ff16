"""Nothing here is for Python; the contract is in wire/messages.pxd."""
