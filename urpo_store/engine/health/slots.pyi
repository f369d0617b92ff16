"""Nothing here is called from Python; see health/slots.pxd. Tests come in through health_book."""
