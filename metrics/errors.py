"""The one error that the metrics raise for something the caller can mend."""

from __future__ import annotations

__all__ = ["MetricsError"]


class MetricsError(ValueError):
    """Frames or settings that cannot be scored; the message says what was there and what to do.

    Attributes:
        setting: the keyword that would mend it, or None.
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        self.setting = setting
        super().__init__(message)
