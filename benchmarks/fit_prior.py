"""Learns the population prior that ships with the package from the healthy real logs.

    COLLAPSE_LAB_REALLOGS=... python -m benchmarks.fit_prior [--check]

Every repository counts once, however many runs it holds. `--check` says whether the shipped file
is what the logs give and writes nothing.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.cache import ROOT
from benchmarks.corpus import load
from benchmarks.judge import prior_without

SHIPPED = ROOT / "collapse_lab" / "detectors" / "prior.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the shipped prior.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    prior = prior_without("", load())
    if options.check:
        sys.exit(0 if SHIPPED.read_text() == prior.to_json() else "the shipped prior differs")
    SHIPPED.write_text(prior.to_json())
    print(f"{len(prior)} signals")


if __name__ == "__main__":
    main()
