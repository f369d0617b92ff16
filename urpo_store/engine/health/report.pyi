"""Nothing here is called from Python; see health/report.pxd. Tests come in through health_book."""
