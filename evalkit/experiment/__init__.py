"""Experiments: one YAML file from a catalogue to a report, made by one command."""

from evalkit.experiment.checking import read_experiment
from evalkit.experiment.description import Experiment
from evalkit.experiment.running import planned, run_experiment

__all__ = ["Experiment", "planned", "read_experiment", "run_experiment"]
