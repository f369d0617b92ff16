"""Nothing here is called from Python; see health/exponential.pxd. Tests come in through health_book."""
