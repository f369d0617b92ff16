"""All services of a store and their series; Python asks through the store (health/services.pxd)."""
