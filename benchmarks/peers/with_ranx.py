"""Score a TREC run with ranx; print the means as JSON."""

import json
import sys

from ranx import Qrels, Run, evaluate

run_path, qrels_path = sys.argv[1:]
names = {"precision": "precision@10", "ndcg": "ndcg@10", "success": "hit_rate@10", "mrr": "mrr"}
values = evaluate(
    Qrels.from_file(qrels_path, kind="trec"),
    Run.from_file(run_path, kind="trec"),
    list(names.values()),
    make_comparable=True,
)
print(json.dumps({measure: float(values[name]) for measure, name in names.items()}))
