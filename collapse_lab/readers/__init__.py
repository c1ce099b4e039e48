"""Other people's logs -> records: one module a format, one table of names a framework."""

from __future__ import annotations

from collapse_lab.readers.base import FileFormat, LineFormat
from collapse_lab.readers.verl import VerlConsole

LINE_FORMATS: dict[str, type[LineFormat]] = {form.name: form for form in (VerlConsole,)}
FILE_FORMATS: dict[str, type[FileFormat]] = {}
