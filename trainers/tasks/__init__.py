"""Tasks by name: four generated here, with scripted experts, and ALFWorld itself."""

from __future__ import annotations

from collapse_lab.trainers.tasks.alfworld import ALFWorld
from collapse_lab.trainers.tasks.base import Task
from collapse_lab.trainers.tasks.household import Household
from collapse_lab.trainers.tasks.maths import Maths
from collapse_lab.trainers.tasks.sokoban import Sokoban
from collapse_lab.trainers.tasks.web_shop import WebShop

GENERATED: dict[str, type[Task]] = {
    task.name: task for task in (Household, Sokoban, WebShop, Maths)
}
TASKS: dict[str, type[Task]] = {**GENERATED, ALFWorld.name: ALFWorld}
