"""Nothing here is for Python; the contract is in ingest.pxd."""
