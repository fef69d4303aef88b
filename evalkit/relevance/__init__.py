"""Is a product, or a rewrite, what the query asks for? Classifiers and judges that say so."""

from evalkit.relevance.classifier import (
    Classifier,
    RelevanceModel,
    judge_identity,
    open_classifier,
)

__all__ = ["Classifier", "RelevanceModel", "judge_identity", "open_classifier"]
