"""Nothing here is called from Python; see health_slots.pxd. Tests come in through health_book."""
