"""Score a TREC run with ir_measures, as its command line does; print the means as JSON."""

import json
import sys

import ir_measures
from ir_measures import RR, P, Success, nDCG

run_path, qrels_path = sys.argv[1:]
measures = {"precision": P @ 10, "ndcg": nDCG @ 10, "success": Success @ 10, "mrr": RR}
values = ir_measures.calc_aggregate(
    list(measures.values()),
    ir_measures.read_trec_qrels(qrels_path),
    ir_measures.read_trec_run(run_path),
)
print(json.dumps({name: values[measure] for name, measure in measures.items()}))
