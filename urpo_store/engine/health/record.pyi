"""The health record of one service; Python fills it through HealthBook (health_book)."""
