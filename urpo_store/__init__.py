"""urpo_store: an embedded storage engine for OpenTelemetry metrics."""
