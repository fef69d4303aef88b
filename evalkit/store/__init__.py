"""The study database: studies, who is served what, votes, and what becomes of them.

Everything that reads or writes the database goes through these functions. Those that take an
`actor` check what that person may do; `None` is the local command line, which may do everything.
Those that take a `person` act for an annotator, and refuse what is not that person's own.
"""

from evalkit.store.backups import backup
from evalkit.store.checks import check
from evalkit.store.comparisons import comparisons
from evalkit.store.engine import Store
from evalkit.store.exports import export_judgments, export_page_grades, export_votes
from evalkit.store.findings import (
    AuditEntry,
    Comparison,
    Evaluation,
    Flag,
    Guideline,
    Imported,
    MyVote,
    Progress,
    SetAside,
    VoteOnQuery,
)
from evalkit.store.guidelines import guideline, guidelines, save_guideline
from evalkit.store.history import my_votes, reopen, undo
from evalkit.store.imports import import_votes
from evalkit.store.opening import open_store
from evalkit.store.overview import flags, progress
from evalkit.store.people import invite, people, person_by_email, revoke, set_role, sign_in
from evalkit.store.quality import restore, set_aside, set_asides
from evalkit.store.records import (
    audit,
    document_fingerprint,
    evaluation_values,
    evaluations,
    note_export,
    record_evaluation,
)
from evalkit.store.serving import mark_shown, next_task
from evalkit.store.studies import create_study, find_study, set_state, studies
from evalkit.store.upgrades import upgrade
from evalkit.store.values import (
    POLICIES,
    ROLES,
    STATES,
    Answer,
    Ballot,
    Draft,
    Finished,
    Item,
    Outcome,
    Person,
    Served,
    Study,
    StudyDesign,
    TaskDraft,
)
from evalkit.store.voting import add_reasons, flag, save_draft, skip, submit
from evalkit.store.weeks import check_week, current_week, every_week, weeks_between

__all__ = [
    "POLICIES",
    "ROLES",
    "STATES",
    "Answer",
    "AuditEntry",
    "Ballot",
    "Comparison",
    "Draft",
    "Evaluation",
    "Finished",
    "Flag",
    "Guideline",
    "Imported",
    "Item",
    "MyVote",
    "Outcome",
    "Person",
    "Progress",
    "Served",
    "SetAside",
    "Store",
    "Study",
    "StudyDesign",
    "TaskDraft",
    "VoteOnQuery",
    "add_reasons",
    "audit",
    "backup",
    "check",
    "check_week",
    "comparisons",
    "create_study",
    "current_week",
    "document_fingerprint",
    "evaluation_values",
    "evaluations",
    "every_week",
    "export_judgments",
    "export_page_grades",
    "export_votes",
    "find_study",
    "flag",
    "flags",
    "guideline",
    "guidelines",
    "import_votes",
    "invite",
    "mark_shown",
    "my_votes",
    "next_task",
    "note_export",
    "open_store",
    "people",
    "person_by_email",
    "progress",
    "record_evaluation",
    "reopen",
    "restore",
    "revoke",
    "save_draft",
    "save_guideline",
    "set_aside",
    "set_asides",
    "set_role",
    "set_state",
    "sign_in",
    "skip",
    "studies",
    "submit",
    "undo",
    "upgrade",
    "weeks_between",
]
