"""Score a TREC run with one DuckDB statement and nothing around it; print the means as JSON.

No validation, no intervals, no judged share: the least that the same figures cost.
"""

import argparse
import json
import tempfile

import duckdb

_SQL = """
WITH run AS (
    FROM read_csv($run, delim = ' ', header = false, auto_detect = false, quote = '', escape = '',
        columns = {'query_id': 'VARCHAR', 'iteration': 'VARCHAR', 'product_id': 'VARCHAR',
                   'rank': 'INTEGER', 'score': 'DOUBLE', 'system': 'VARCHAR'})
    SELECT query_id, product_id, score
), judgments AS (
    FROM read_csv($judgments, delim = ' ', header = false, auto_detect = false, quote = '',
        escape = '', columns = {'query_id': 'VARCHAR', 'iteration': 'VARCHAR',
                                'product_id': 'VARCHAR', 'grade': 'DOUBLE'})
    SELECT query_id, product_id, grade
), ranked AS (
    FROM run
    SELECT query_id, product_id,
        row_number() OVER (PARTITION BY query_id ORDER BY score DESC, product_id DESC) AS position
), listed AS (
    FROM ranked LEFT JOIN judgments USING (query_id, product_id)
    SELECT query_id,
        count_if(position <= 10) AS shown,
        count_if(position <= 10 AND grade >= 1) AS good,
        sum(CASE WHEN position <= 10 AND grade > 0 THEN grade / log2(position + 1) END) AS gain,
        min(CASE WHEN grade >= 1 THEN position END) AS first_good
    GROUP BY query_id
), ideal AS (
    FROM (
        FROM judgments
        SELECT query_id, grade,
            row_number() OVER (PARTITION BY query_id ORDER BY grade DESC) AS position
    )
    SELECT query_id,
        sum(CASE WHEN position <= 10 AND grade > 0 THEN grade / log2(position + 1) END) AS gain
    GROUP BY query_id
)
FROM ideal LEFT JOIN listed USING (query_id)
SELECT
    sum(good) / sum(shown) AS item_goodrate,
    count_if(good >= 1) / count(*) AS query_goodrate,
    sum(good) / (10 * count(*)) AS precision,
    sum(coalesce(listed.gain / ideal.gain, 0)) / count(*) AS ndcg,
    count_if(good >= 1) / count(*) AS success,
    sum(coalesce(1 / first_good, 0)) / count(*) AS mrr
"""

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run")
parser.add_argument("judgments")
parser.add_argument("--memory-limit", help="DuckDB's memory_limit, such as 600MB")
given = parser.parse_args()
with tempfile.TemporaryDirectory() as folder:
    config = {"temp_directory": folder, "preserve_insertion_order": "false"}
    if given.memory_limit:
        config["memory_limit"] = given.memory_limit
    connection = duckdb.connect(config=config)
    cursor = connection.execute(_SQL, {"run": given.run, "judgments": given.judgments})
    names = [column[0] for column in cursor.description]
    print(json.dumps(dict(zip(names, cursor.fetchone(), strict=True))))
    connection.close()
