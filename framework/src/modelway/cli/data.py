"""``modelway data``: what tables hold, how they differ, what was kept aside of them, and their schemas."""

from __future__ import annotations

import argparse

from modelway.cli.tables import HELP

VERBS = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    profile = verbs.add_parser("profile", help="write a page about a table: types, missing, distributions, warnings")
    profile.add_argument("--out", default="", metavar="FILE.html", help="where the page goes; by default its title")
    describe = verbs.add_parser("describe", help="say what a table holds")
    for parser in (profile, describe):
        parser.add_argument("what", help=HELP)
        parser.add_argument("--where", default="", metavar="EXPR", help="only rows of which this is true: 'yr == 0'")
        _columns(parser)
    diff = verbs.add_parser("diff", help="say what differs between two tables, or between rows of one")
    diff.add_argument("a", help=f"the reference: {HELP}")
    diff.add_argument("b", nargs="?", default="", help="what to compare with it; by default the same table")
    diff.add_argument("--where-a", default="", metavar="EXPR", help="only rows of A of which this is true: 'yr == 0'")
    diff.add_argument("--where-b", default="", metavar="EXPR", help="only rows of B of which this is true: 'yr == 1'")
    diff.add_argument("--by", choices=("month",), help="also each month of B against the whole of A")
    diff.add_argument("--out", default="", metavar="FILE.html", help="write a page as well")
    _columns(diff)
    aside = verbs.add_parser("aside", help="show or write what a run's steps kept aside, such as refused rows")
    aside.add_argument(
        "run", nargs="?", default="", help="RUN, RUN:STEP or PROJECT, for its newest; by default the newest"
    )
    aside.add_argument("--name", default="", help="only what was kept under this name")
    aside.add_argument("--rows", type=int, default=20, metavar="N", help="rows to show")
    aside.add_argument("--out", default="", metavar="FILE", help="write all rows: .csv or .parquet")
    schema = verbs.add_parser("schema", help="infer a first schema from data, or compare two")
    kinds = schema.add_subparsers(dest="kind", required=True, metavar="VERB")
    infer = kinds.add_parser("infer", help="print a first schema as YAML, to be edited")
    infer.add_argument("what", help=HELP)
    infer.add_argument("--target", default="", metavar="COLUMN", help="the column to predict")
    compare = kinds.add_parser("diff", help="say whether a schema's changes are compatible or breaking, and why")
    compare.add_argument(
        "a", help="YAML file, RUN, PROJECT@VERSION, or PROJECT (its champion's, or newest run's, where B is left out)"
    )
    compare.add_argument("b", nargs="?", default="", help="the newer one; by default what project A declares now")
    compare.add_argument("--check", action="store_true", help="end with exit code 4 where a change is breaking")
    for parser in (describe, diff, aside, infer, compare):
        parser.add_argument("--json", action="store_true", help="print as JSON")


def _columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target", default="", metavar="COLUMN", help="relate columns to this one; by default declared"
    )
    parser.add_argument(
        "--time", default="", metavar="COLUMN", help="the rows' time; by default declared, or the first"
    )


def main(options: argparse.Namespace) -> int:
    """Look at data."""
    if options.verb == "aside":
        from modelway.cli import aside

        return aside.main(options)
    if options.verb == "schema":
        from modelway.cli import schemas

        return schemas.infer(options) if options.kind == "infer" else schemas.diff(options)
    from modelway.cli import profiles

    verbs = {"profile": profiles.profile, "describe": profiles.describe, "diff": profiles.diff}
    return verbs[options.verb](options)
