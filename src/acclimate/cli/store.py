"""Verbs about the store of artifacts."""

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli import show

StorePlace = Annotated[str, typer.Argument(help="The store: a folder, or the address of a bucket, s3://BUCKET/PREFIX.")]


def ls(store: StorePlace = ".acclimate") -> None:
    """List the artifacts with size and age."""
    from acclimate.study.store.opened import open_store, place

    show.entries(open_store(place(store)).ls())


def prune(
    store: StorePlace = ".acclimate",
    keep: Annotated[list[Path] | None, typer.Option("--keep", help="Keep what this study file needs; may be repeated.")] = None,
    older_than_days: Annotated[float | None, typer.Option("--older-than-days", min=0, help="Only what was not used since.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
) -> None:
    """Remove artifacts that nobody needs: those no kept study names, or those not used for long. Leftovers of killed runs go, too."""
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.prepared import needed
    from acclimate.study.store.opened import open_store, place

    where = place(store)
    kept = {key for file in keep or [] for key in needed(load_study(file), file.resolve().parent, where)}
    gone = open_store(where).prune(kept if keep else None, older_than_days, dry_run)
    show.entries(gone, "would be removed" if dry_run else "removed")
