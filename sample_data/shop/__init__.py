"""The generator of the sample shop: catalogue, queries and judgments from the files in source/."""
