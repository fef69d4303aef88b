"""What may be spent on a model: requests, tokens, money; counted before a request is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from evalkit.errors import SettingsError
from evalkit.llm.messages import Usage

__all__ = ["BUDGET_REACHED", "Budget", "Meter"]

BUDGET_REACHED = "budget reached"


@dataclass(frozen=True)
class Budget:
    """Limits; None is no limit.

    Attributes:
        max_requests: requests sent, with retries and repairs.
        max_tokens: tokens read and written.
        max_cost: money, in the currency of the prices.
        prompt_price: price of a million tokens read.
        completion_price: price of a million tokens written.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    prompt_price: float | None = None
    completion_price: float | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise SettingsError(f"{name} is {value}; it must be 0 or more.")
        if self.max_cost is not None and None in (self.prompt_price, self.completion_price):
            raise SettingsError(
                "A limit of cost needs the prices of a million tokens read and written."
            )

    def cost(self, usage: Usage) -> float:
        """Return what tokens cost; 0 without prices.

        Example:
            >>> Budget(prompt_price=0.4, completion_price=1.6).cost(Usage(1_000_000, 500_000))
            1.2
        """
        read = usage.prompt_tokens * (self.prompt_price or 0)
        written = usage.completion_tokens * (self.completion_price or 0)
        return (read + written) / 1e6


@dataclass
class Meter:
    """Counts against a budget.

    A request reserves what it may take at most before it is sent, and settles for what it took.
    So the limits hold also while several requests are under way. Once a request does not fit, the
    budget is reached and stays so.

    Attributes:
        budget: the limits.
        requests: requests sent.
        spent: tokens of requests that have ended.
        reached: no more is sent.
    """

    budget: Budget
    requests: int = 0
    spent: Usage = field(default_factory=Usage)
    reached: bool = False
    _reserved: Usage = field(default_factory=Usage, init=False)

    @property
    def cost(self) -> float:
        """Money spent; 0 without prices."""
        return self.budget.cost(self.spent)

    def reserve(self, most: Usage) -> Literal["yes", "wait", "no"]:
        """Ask for a request.

        Args:
            most: tokens that it may take.

        Returns:
            `yes`: send it, then `settle`. `wait`: ask again when another request has settled.
            `no`: the budget is reached.
        """
        limit = self.budget.max_requests
        if self.reached or (limit is not None and self.requests >= limit):
            self.reached = True
            return "no"
        if not self._fits(self.spent + most):
            self.reached = True
            return "no"
        if not self._fits(self.spent + self._reserved + most):
            return "wait"
        self.requests += 1
        self._reserved += most
        return "yes"

    def settle(self, most: Usage, taken: Usage) -> None:
        """Replace a reservation by what the request took."""
        self._reserved = Usage(
            self._reserved.prompt_tokens - most.prompt_tokens,
            self._reserved.completion_tokens - most.completion_tokens,
        )
        self.spent += taken

    def _fits(self, usage: Usage) -> bool:
        tokens, cost = self.budget.max_tokens, self.budget.max_cost
        return (tokens is None or usage.tokens <= tokens) and (
            cost is None or self.budget.cost(usage) <= cost
        )
