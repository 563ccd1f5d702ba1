"""A program of its own with an engine in it, which a test can kill or send signals."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

PROGRAM = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from acclimate.study.engines.local import Local
    from tests.study.performers import Diary, job

    if __name__ == "__main__":
        jobs = [job("a"), job("b", "", {payload!r}), job("c")]
        reports = Local(1).run(jobs, Diary(Path(sys.argv[1])), lambda line: print(line, flush=True))
        print({{key: report.status for key, report in reports.items()}})
"""


def started(folder, payload="long"):
    """The program, with its diary in a folder, whose second job is what `payload` says."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM.format(folder=str(Path(__file__).resolve().parents[2]), payload=payload)))
    return subprocess.Popen([sys.executable, program, folder / "diary"], stdout=subprocess.PIPE, text=True)


def wait_for(process, file, key):
    """Until its diary says that it is at a job."""
    while not (file.exists() and key in file.read_text().split()):
        assert process.poll() is None, f"{key} did not begin"
        time.sleep(0.05)
