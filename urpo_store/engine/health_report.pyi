"""Nothing here is called from Python; see health_report.pxd. Tests come in through health_book."""
