"""The one error that the metrics raise for something the caller can mend."""

__all__ = ["MetricsError"]


class MetricsError(ValueError):
    """Frames or settings that cannot be scored; the message says what was there and what to do."""
