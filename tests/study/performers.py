"""Performers of jobs that fail in every way a stage can, and write down what they do."""

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from acclimate.study.engines.engine import Job, Shared
from acclimate.study.engines.reports import Report
from acclimate.training.progress import Progress

RARE = "colorsys"  # a module that nothing else loads


@dataclass(frozen=True)
class Diary:
    """A setup whose performer writes down what it does."""

    file: Path
    shared: Shared = field(default_factory=Shared)
    preload: tuple[str, ...] = ()

    def together(self, processes):
        return self

    @property
    def threads(self):
        return 1

    def open(self, stop, send):
        return Performer(self.file, stop, send)


class Performer:
    def __init__(self, file, stop, send):
        self.file, self.stop, self.send = file, stop, send
        self.preloaded = RARE in sys.modules

    def execute(self, key, payload):
        with self.file.open("a") as file:
            file.write(f"{key}\n")
        if payload == "tell":
            for step in range(3):
                self.send(Progress(f"title {key}", step, 2))
        if payload == "loaded":
            with self.file.open("a") as file:
                file.write(f"loaded-{self.preloaded}\n")
        if payload == "print":
            print("to standard output", flush=True)
            os.write(2, b"10 %\r20 %\rto standard \xff error\n\nwithout an end")
        if payload == "device":
            with self.file.open("a") as file:
                file.write(f"on-{os.environ['CUDA_VISIBLE_DEVICES']}\n")
            while len(self.file.read_text().split()) < 4:
                time.sleep(0.05)
        if payload == "meet":
            while len(self.file.read_text().split()) < 2:
                time.sleep(0.05)
        if payload == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if payload == "crash once" and self.file.read_text().split().count(key) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if payload == "taken away" and self.file.read_text().split().count(key) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            while not self.stop.asked:
                time.sleep(0.01)
            return Report(key, "interrupted", "stopped after step 7")
        if payload == "pid":
            with self.file.open("a") as file:
                file.write(f"{os.getpid()}\n")
            while True:
                time.sleep(1)
        if payload == "fail":
            return Report(key, "failed", "it did not work")
        if payload == "long":
            while not self.stop.asked:
                time.sleep(0.01)
            return Report(key, "interrupted")
        if payload == "deaf":
            while not self.stop.asked:
                time.sleep(0.01)
            with self.file.open("a") as file:
                file.write("heard\n")
            while True:
                time.sleep(1)
        return Report(key, "done")


def job(key, parents="", payload=None):
    return Job(key, tuple(parents), f"job {key}", payload)


def done(folder):
    return (folder / "diary").read_text().split()
