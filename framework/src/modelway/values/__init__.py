"""What flows between stages: immutable values, each able to save and load itself without executing anything."""

from modelway.values.artifact import Blobs, Directory, Files, Folder, Value, dumps
from modelway.values.bundle import Bundle, Deployment, Profile
from modelway.values.columns import (
    Category,
    Column,
    Columns,
    from_arrow,
    from_records,
    length,
    missing,
    take,
    to_arrow,
    to_records,
)
from modelway.values.model import Model, RowStep, ScoringModel, Transform, described
from modelway.values.scores import Finding, Findings, Plot, Predictions, Reason, Score, Scores, Verdict
from modelway.values.split import PHASES, Batch, Split, encode_target
from modelway.values.table import BATCH, Part, Table

__all__ = [
    "BATCH",
    "PHASES",
    "Batch",
    "Blobs",
    "Bundle",
    "Category",
    "Column",
    "Columns",
    "Deployment",
    "Directory",
    "Files",
    "Finding",
    "Findings",
    "Folder",
    "Model",
    "Part",
    "Plot",
    "Predictions",
    "Profile",
    "Reason",
    "RowStep",
    "Score",
    "Scores",
    "ScoringModel",
    "Split",
    "Table",
    "Transform",
    "Value",
    "Verdict",
    "described",
    "dumps",
    "encode_target",
    "from_arrow",
    "from_records",
    "length",
    "missing",
    "take",
    "to_arrow",
    "to_records",
]
