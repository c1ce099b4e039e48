"""Tasks by name: small, procedurally generated, with scripted experts."""

from __future__ import annotations

from collapse_lab.trainers.tasks.base import Task
from collapse_lab.trainers.tasks.household import Household
from collapse_lab.trainers.tasks.maths import Maths
from collapse_lab.trainers.tasks.sokoban import Sokoban
from collapse_lab.trainers.tasks.web_shop import WebShop

TASKS: dict[str, type[Task]] = {task.name: task for task in (Household, Sokoban, WebShop, Maths)}
