"""The loss of a retriever: its product before all others of the batch, but for those known as good.

Multiple negatives ranking (van den Oord et al. 2018; Henderson et al. 2017): cross entropy over the
cosines, times a scale, of a query and all products of its batch. A batch of one shop holds products
that are good for several of its queries, and more of them the smaller the shop is. What is known to
be good for a query does not count as wrong for it.

Margin distillation (Hofstätter et al. 2020, on logits): the difference of the scaled cosines of a
query's product and of its hard negative shall be the difference of a teacher's logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["batch_loss", "margin_loss", "open_loss", "ranking_loss"]


def ranking_loss(queries: Tensor, products: Tensor, known: Tensor, scale: float) -> Tensor:
    """Return the mean cross entropy of each query's own product, a scalar.

    Args:
        queries: float[b, d].
        products: float[m, d]; product i is that of query i, and the rest are wrong ones.
        known: bool[b, m], products that are good for a query without being its own.
        scale: of the cosines; 1 / temperature.

    Example:
        >>> import torch
        >>> queries, products = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> nothing = torch.zeros(2, 2, dtype=torch.bool)
        >>> round(float(ranking_loss(queries[:1], products, nothing[:1], 20.0)), 3)
        0.693
        >>> other = torch.tensor([[False, True]])
        >>> float(ranking_loss(queries[:1], products, other, 20.0))
        0.0
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    scores = scale * normalize(queries, dim=1) @ normalize(products, dim=1).T
    scores = scores.masked_fill(known, float("-inf"))
    return cross_entropy(scores, torch.arange(len(queries), device=scores.device))


def margin_loss(
    queries: Tensor, products: Tensor, owner: Tensor, margin: Tensor, scale: float
) -> Tensor:
    """Return the mean square of the error of margins, over the scale; a scalar.

    Args:
        queries: float[b, d].
        products: float[b + h, d]; the last h are hard negatives.
        owner: int[h], the query of each hard negative.
        margin: float[h], logit of the owner's product less that of the hard negative.
        scale: of the cosines.

    Example:
        >>> import torch
        >>> queries, products = torch.eye(2)[:1], torch.eye(2)
        >>> right = margin_loss(queries, products, torch.tensor([0]), torch.tensor([20.0]), 20.0)
        >>> wrong = margin_loss(queries, products, torch.tensor([0]), torch.tensor([10.0]), 20.0)
        >>> float(right), float(wrong)
        (0.0, 5.0)
    """
    from torch.nn.functional import cosine_similarity

    if not len(owner):
        return queries.sum() * 0.0
    right = cosine_similarity(queries[owner], products[owner])
    wrong = cosine_similarity(queries[owner], products[len(queries) :])
    found: Tensor = (scale * (right - wrong) - margin).square().mean() / scale
    return found


def batch_loss(
    queries: Tensor,
    products: Tensor,
    labels: Mapping[str, Tensor],
    scale: float,
    distil_weight: float,
) -> Tensor:
    """Return the loss of a batch, a scalar.

    Args:
        queries: float[b, d].
        products: float[b + h, d], the queries' own and hard negatives, as they were encoded.
        labels: `known`, bool[b, b + h]; with distillation `owner` and `margin`, [h] each; `place`,
            int[b + h], where each of the products stands among those that were encoded.
        scale: of the cosines.
        distil_weight: of the margins' part.
    """
    products = products[labels["place"]]
    loss = ranking_loss(queries, products, labels["known"], scale)
    if "margin" in labels and distil_weight:
        part = margin_loss(queries, products, labels["owner"], labels["margin"], scale)
        loss = loss + distil_weight * part
    return loss


def open_loss(
    model: Any, *, scale: float, distil_weight: float, cached: bool, mini_batch: int
) -> Any:
    """Return the loss as sentence-transformers' trainer takes it.

    Args:
        model: the SentenceTransformer that is trained.
        scale: of the cosines.
        distil_weight: of the margins' part.
        cached: encode in small pieces, twice (GradCache, Gao et al. 2021), so that memory does
            not limit the batch.
        mini_batch: texts in such a piece.
    """
    import torch
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )

    class Ranking(MultipleNegativesRankingLoss):
        def forward(self, sentence_features: Any, labels: Any) -> Tensor:
            # The library's own way would pad all columns alike.
            found = [self.model(features)["sentence_embedding"] for features in sentence_features]
            return batch_loss(found[0], torch.cat(found[1:]), labels, scale, distil_weight)

    class CachedRanking(CachedMultipleNegativesRankingLoss):
        def calculate_loss(
            self, reps: list[list[Tensor]], labels: Any = None, *, with_backward: bool = False
        ) -> Tensor:
            products = torch.cat([piece for column in reps[1:] for piece in column])
            loss = batch_loss(torch.cat(reps[0]), products, labels, scale, distil_weight)
            if with_backward:
                loss.backward()  # type: ignore[no-untyped-call]
                loss = loss.detach()
            return loss

    if cached:
        return CachedRanking(model, scale=scale, mini_batch_size=mini_batch)
    return Ranking(model, scale=scale)
