"""The commands as they are called, in this process."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from collapse_lab.cli import main


def collapse_lab(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]
