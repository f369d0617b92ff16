"""Nothing here is called from Python; see health_exponential.pxd. Tests come in through health_book."""
