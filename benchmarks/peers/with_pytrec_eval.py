"""Score a TREC run with pytrec_eval as its documentation does; print the means as JSON."""

import json
import sys

import pytrec_eval

run_path, qrels_path = sys.argv[1:]
with open(qrels_path) as file:
    qrels = pytrec_eval.parse_qrel(file)
with open(run_path) as file:
    run = pytrec_eval.parse_run(file)
names = {
    "precision": "P_10",
    "ndcg": "ndcg_cut_10",
    "success": "success_10",
    "mrr": "recip_rank",
}
evaluator = pytrec_eval.RelevanceEvaluator(
    qrels, {"P.10", "ndcg_cut.10", "success.10", "recip_rank"}
)
values = evaluator.evaluate(run)
means = {
    measure: sum(row[name] for row in values.values()) / len(qrels)
    for measure, name in names.items()
}
print(json.dumps(means))
