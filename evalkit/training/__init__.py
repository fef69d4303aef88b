"""Training: from tables of labelled examples to models in folders."""
