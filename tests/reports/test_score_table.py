import csv
import io
import json
import math
import re

import pytest
from score_documents import large, row, single, worked

from evalkit.reports.score_exports import format_csv, format_json
from evalkit.reports.score_table import format_markdown, format_table
from evalkit.reports.terminal import display_width

WORKED_AT_100 = """\
Query set: 4 queries (queries.csv): judged 4, in control 3, in treatment 4, in both 3
control: order by rank, items shown @3 9, Item Goodrate at fixed depth @3 33.33, queries without
  results 1
treatment: order by rank, items shown @3 11, Item Goodrate at fixed depth @3 50.00
Settings: good grade ≥ 1 · min-good 1 · ties id · unjudged bad · average pooled · depth shown ·
  margin 0 · primary item_goodrate,query_goodrate · ci default · seed 0

Overall          queries control  treatment      Δ      95% interval      p   +/=/−      judged
Item Goodrate@3        4   44.44      54.55 +10.10  [−52.31, +72.51] 0.7500   2/2/0   88.9→90.9
Query Goodrate@3       4   50.00      75.00 +25.00  [−31.34, +69.89] 1.0000   1/3/0   88.9→90.9
GSB@3                  4       – win 100.0% +50.00 [−41.87, +100.00] 0.5000 · 2/2/0   88.9→90.9
  (G+S)/(B+S) 2.00
nDCG@3 [1]             4       –          –      –                 –      –       –   88.9→90.9

By query_type    queries control  treatment      Δ      95% interval      p   +/=/−      judged
Item Goodrate@3
  negative             2   16.67      60.00 +43.33 [−90.00, +176.67] 0.5000   2/0/0   83.3→80.0
  knowledge            2  100.00      50.00 −50.00 [−100.00, +50.00] 1.0000   0/2/0 100.0→100.0

[1] no numeric grades: nDCG needs --gains
Values in points (share or score × 100); Δ = treatment − control with its 95% interval; p raw,
*\u00a0significant after Holm at 0.05; ·\u00a0exploratory; +/=/− queries improved/same/worse; \
GSB: +/=/− are
G:S:B, win = G/(G+B); mde = smallest Δ found with 80% power; judged = % of shown items,
control→treatment. Left out at this width: relative, mde.

Warnings (1)
  ! items shown differ by 22%: control 9, treatment 11
"""


def lines_of(document, **options):
    return format_table(document, **options).splitlines()


def test_the_worked_figures_stand_in_the_table_as_on_the_page_of_definitions():
    assert format_table(worked(), width=100) == WORKED_AT_100


def test_bounds_stand_beneath_the_figures_they_bound():
    line = next(line for line in lines_of(worked(bounds=True)) if "unjudged bad…good" in line)
    assert re.split(r"\s{2,}", line.strip()) == [
        "unjudged bad…good",
        "44.44…55.56",
        "54.55…63.64",
        "−1.01 … +19.19",
    ]


def with_identical(number, without):
    """The worked figures, with identical lists; the segment gets a GSB of its own."""
    document = worked()
    gsb = document["results"][2] | {"identical": number, "without_identical": without}
    inside = {"segment": {"query_type": "knowledge"}, "queries": 2}
    document["results"] = [gsb, gsb | inside]
    return document


def test_gsb_without_identical_lists_stands_beneath_gsb():
    text = lines_of(with_identical(1, 2 / 3))
    said = "GSB without the query whose lists are identical: +66.67"
    places = [at for at, line in enumerate(text) if said in line]
    assert text[places[0] - 2].startswith("GSB@3")
    assert text[places[0] - 1] == "  (G+S)/(B+S) 2.00"
    assert text[places[1] - 1].startswith("  knowledge")
    assert len(places) == 2
    many = format_markdown(with_identical(1234, -0.431))
    assert "| GSB without the 1,234 queries whose lists are identical: −43.10 |" in many


def test_the_figure_without_identical_lists_is_not_cut_off_at_a_small_width():
    text = format_table(with_identical(1234, -0.431), width=60)
    assert all(display_width(line) <= 60 for line in text.splitlines() if "GSB without" in line)
    said = "GSB without the 1,234 queries whose lists are identical: −43.10"
    assert " ".join(text.split()).count(said) == 2


@pytest.mark.parametrize("document", [worked(), with_identical(0, 0.5), with_identical(4, None)])
def test_nothing_is_added_where_no_list_is_identical_or_all_are(document):
    assert "identical" not in format_table(document) + format_markdown(document)


def test_bounds_of_ties_have_a_line_of_their_own():
    document = worked()
    document["results"][0] |= {
        "ties_lower_control": 0.4,
        "ties_upper_control": 0.5,
        "ties_lower_treatment": 0.5,
        "ties_upper_treatment": 0.6,
        "ties_lower_delta": 0.0,
        "ties_upper_delta": 0.2,
    }
    (line,) = [line for line in lines_of(document) if "ties worst…best" in line]
    assert " ".join(line.split()) == "ties worst…best 40.00…50.00 50.00…60.00 0.00 … +20.00"


@pytest.mark.parametrize(
    ("p_holm", "p", "end"),
    [(0.03, 0.01, "0.0100  *"), (0.06, 0.02, "0.0200"), (None, 0.02, "0.0200  ·")],
)
def test_the_mark_says_what_the_declared_test_decided(p_holm, p, end):
    document = worked()
    document["results"] = [document["results"][0] | {"p": p, "p_holm": p_holm}]
    line = next(line for line in lines_of(document) if line.startswith("Item"))
    assert re.search(r"\d\.\d{4}( +[*·])?", line).group() == end


def test_a_p_that_four_decimals_cannot_show_is_below_them():
    document = worked()
    document["results"] = [document["results"][0] | {"p": 1e-9, "p_holm": 1e-8}]
    assert "<0.0001  *" in format_table(document)


def test_a_difference_that_rounds_to_nothing_has_no_sign():
    document = worked()
    document["results"] = [row("mrr", None, control=0.5, treatment=0.49999, delta=-0.00001)]
    line = next(line for line in lines_of(document) if line.startswith("MRR"))
    assert line.split()[:5] == ["MRR", "4", "50.00", "50.00", "0.00"]


def test_cutoffs_are_kept_together_and_measures_without_one_stand_last():
    document, _ = large()
    lines = lines_of(document)
    start = lines.index(next(line for line in lines if line.startswith("Overall")))
    overall = lines[start + 1 : start + 12]
    assert lines[start + 12] == ""
    assert [line.split("  ")[0] for line in overall] == (
        [f"{name}@5" for name in ("Item Goodrate", "Query Goodrate", "GSB", "nDCG")]
        + [""]
        + [f"{name}@10" for name in ("Item Goodrate", "Query Goodrate", "GSB", "nDCG")]
        + ["", "MRR"]
    )


@pytest.mark.parametrize("width", [100, 120, 140])
def test_no_line_is_wider_than_the_terminal(width):
    document, _ = large()
    assert max(display_width(line) for line in lines_of(document, width=width)) <= width


def test_columns_that_do_not_fit_are_named():
    document, _ = large()
    narrow = format_table(document, width=80)
    assert "Left out at this width: relative, mde, +/=/−, queries." in narrow.replace("\n", " ")
    assert "Left out" not in format_table(document, width=140)


def test_every_figure_keeps_its_judged_share_at_any_width():
    document, _ = large()
    assert format_table(document, width=60).count("97.0→91.0") == len(document["results"])


def test_without_colour_no_escape_sequence_is_written():
    document, _ = large()
    assert "\x1b" not in format_table(document)
    assert "\x1b[1m" in format_table(document, color=True)


def test_colour_changes_nothing_but_colour():
    document, _ = large()
    painted = format_table(document, color=True)
    assert re.sub(r"\x1b\[\d+m", "", painted) == format_table(document)


def test_control_characters_of_a_segment_do_not_reach_the_terminal():
    document = worked()
    document["results"][4]["segment"] = {"query_type": "\x1b[2Jnega\ntive\u202e"}
    table = format_table(document)
    assert "\x1b" not in table
    assert "[2Jnega tive" in table
    assert "\u202e" not in table


def test_single_runs_show_value_interval_and_judged_share_by_system():
    line = next(line for line in lines_of(single()) if line.startswith("Query Goodrate@3  dense"))
    assert " ".join(line.split()) == "Query Goodrate@3 dense 4 75.00 [55.00, 95.00] 90.9"


def test_a_document_without_results_says_so():
    assert "No results." in format_table({"results": [], "query_set": {"size": 0}})


def test_bounds_of_a_single_run_stand_beneath_its_value():
    document = single()
    document["results"][0] |= {"lower": 4 / 9, "upper": 5 / 9}
    lines = lines_of(document)
    at = next(at for at, line in enumerate(lines) if line.split()[2:3] == ["lexical"])
    assert lines[at + 1].split() == ["unjudged", "bad…good", "44.44…55.56"]


def test_tied_rows_are_mentioned_where_there_are_any():
    document, _ = large()
    assert "tied % @5 0.0 @10 2.1" in format_table(document)
    assert "tied" not in format_table(worked())


def test_csv_reads_back_as_the_same_floats():
    document, _ = large()
    rows = list(csv.DictReader(io.StringIO(format_csv(document))))
    assert len(rows) == len(document["results"])
    for read, result in zip(rows, document["results"], strict=True):
        for name, value in result.items():
            if name == "segment":
                assert {k: read[k] or None for k in ("query_type", "language")} == {
                    k: value.get(k) for k in ("query_type", "language")
                }
            elif value is None:
                assert read[name] == ""
            elif isinstance(value, float):
                assert float(read[name]) == value
            else:
                assert read[name] == str(value)


def test_a_segment_column_named_like_a_field_does_not_shadow_it():
    document = worked()
    document["results"][4]["segment"] = {"queries": "many"}
    (header, *_) = csv.reader(io.StringIO(format_csv(document)))
    assert header.count("queries") == 1
    assert "segment_queries" in header


def test_csv_quotes_what_a_segment_holds():
    document = worked()
    document["results"][4]["segment"] = {"query_type": 'a,"b"\nc'}
    rows = list(csv.DictReader(io.StringIO(format_csv(document))))
    assert rows[4]["query_type"] == 'a,"b"\nc'


def test_json_is_the_document_again():
    document, _ = large()
    text = format_json(document)
    assert json.loads(text) == document
    assert text.endswith("}\n")


def test_json_never_holds_nan_or_infinity():
    document = worked()
    document["results"][0] |= {"delta": math.nan, "ci_high": math.inf}
    text = format_json(document)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["results"][0]["delta"] is None
    assert format_csv(document).count("nan") == 0


def test_markdown_shows_the_same_figures_as_the_terminal():
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in format_markdown(worked()).splitlines()
        if line.startswith(("| Item", "| negative"))
    ]
    assert cells[0][:6] == [
        "Item Goodrate@3",
        "4",
        "44.44",
        "54.55",
        "+10.10",
        "[−52.31, +72.51]".replace("[", "\\[").replace("]", "\\]"),
    ]
    assert cells[-1][:5] == ["negative", "2", "16.67", "60.00", "+43.33"]


def test_markdown_tables_have_as_many_cells_as_headers():
    document, _ = large()
    document["results"][-1]["segment"] = {"language": "a|b <b>*x*</b>"}
    tables: list[list[str]] = [[]]
    for line in format_markdown(document).splitlines():
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    for table in filter(None, tables):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "a\\|b \\<b\\>\\*x\\*\\</b\\>" in format_markdown(document)


def test_markdown_names_the_inputs_with_their_fingerprints():
    assert f"| control.csv | 9 | `sha256:{'0a' * 32}` |" in format_markdown(worked())
