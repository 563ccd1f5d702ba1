"""With what a study was begun that its file does not say, such as another store: the page goes on with the same.

The study says so by its status file, which may be anybody's: no folder outside of the page's own is read or written for it, and what
a study goes on with stands on the page before somebody presses the button.
"""

from pathlib import Path

from acclimate.errors import SettingsError, StoreError
from acclimate.inert import one_line
from acclimate.page.home import Home
from acclimate.page.studies import StudyFile
from acclimate.study.store.opened import is_address
from acclimate.study.watch.status import FILE, Begun, Status, read_status


def status_of(home: Home, opened: StudyFile, smoke: bool = False) -> Status | None:
    """What a study says of itself; None: nothing, or nothing that can be read."""
    try:
        return read_status(home.within(opened.out(smoke) / FILE).parent)
    except (StoreError, SettingsError):
        return None


def damage_of(home: Home, opened: StudyFile, smoke: bool = False) -> str:
    """Why what a study says of itself cannot be read; empty where it can be, or says nothing."""
    try:
        file = home.within(opened.out(smoke) / FILE)
        if file.is_file():
            read_status(file.parent)
    except SettingsError:
        return ""
    except StoreError as error:
        return str(error)
    return ""


def begun_with(status: Status | None) -> Begun:
    """As the status says, or as usual."""
    return Begun() if status is None else status.begun


def store_of(home: Home, opened: StudyFile, begun: Begun) -> Path | None:
    """The folder of its artifacts; None where the page reads none: they lie outside of its folder, or in a bucket."""
    if not begun.store:
        return opened.store
    try:
        return None if is_address(begun.store) else home.within(opened.root / begun.store)
    except SettingsError:
        return None


def elsewhere(home: Home, opened: StudyFile, begun: Begun) -> str:
    """The store that the page does not read; empty: there is none such."""
    return begun.store if store_of(home, opened, begun) is None else ""


def words(home: Home, opened: StudyFile, begun: Begun) -> list[str]:
    """What `acclimate study` is told besides the file.

    Raises:
        SettingsError: the page does not go on with it.
    """
    said = begun.options
    if "--store" in said and not is_address(begun.store):
        folder = store_of(home, opened, begun)
        if folder is None:
            raise SettingsError(
                f"{opened.name}: was begun with --store {one_line(begun.store)}, outside of the folder of this page; go on with it by "
                "the same command on a terminal, or start the page in a folder that holds both"
            )
        said["--store"] = str(folder)
    if not all(value.isprintable() for value in said.values()):
        raise SettingsError(f"{opened.name}: its status says no options that could be: {one_line(told(begun))}; remove {FILE}")
    return [f"{name}={value}" if value else name for name, value in said.items()]  # in one: no value is taken for an option


def told(begun: Begun) -> str:
    """In a line, what is not as usual; empty: nothing."""
    return " ".join(f"{name} {value}".rstrip() for name, value in begun.options.items())
