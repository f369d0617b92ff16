"""The table of request metrics; Python asks it through HealthBook (health_book)."""
