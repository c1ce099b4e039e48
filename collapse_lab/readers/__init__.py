"""Other people's logs -> records: one module a format, one table of names a framework."""

from __future__ import annotations

from collapse_lab.readers.base import FileFormat, LineFormat
from collapse_lab.readers.console_table import ConsoleTable
from collapse_lab.readers.csv_table import CsvTable
from collapse_lab.readers.dict_lines import DictLines
from collapse_lab.readers.json_document import JsonDocument
from collapse_lab.readers.jsonl import JsonLines
from collapse_lab.readers.key_value import KeyValueLines
from collapse_lab.readers.mlflow_store import MlflowDatabase, MlflowFolder
from collapse_lab.readers.nemo_rl import NemoRlConsole
from collapse_lab.readers.notebook import Notebook
from collapse_lab.readers.openrlhf import OpenRlhfConsole
from collapse_lab.readers.prime_rl import PrimeRlConsole
from collapse_lab.readers.prime_rl_metrics import PrimeRlMetrics
from collapse_lab.readers.roll import RollConsole
from collapse_lab.readers.run_folder import RecordLines, RunFolder
from collapse_lab.readers.slime import SlimeConsole
from collapse_lab.readers.tensorboard_events import TensorBoardEvents
from collapse_lab.readers.trackio_store import TrackioDatabase
from collapse_lab.readers.trainer_state import TrainerState
from collapse_lab.readers.trl import TrlConsole
from collapse_lab.readers.verl import VerlConsole, VerlFile
from collapse_lab.readers.wandb_offline import WandbOffline

_LINES: tuple[type[LineFormat], ...] = (
    VerlConsole,
    VerlFile,
    TrlConsole,
    OpenRlhfConsole,
    SlimeConsole,
    PrimeRlConsole,
    PrimeRlMetrics,
    NemoRlConsole,
    RollConsole,
    RecordLines,
    JsonLines,
    DictLines,
    ConsoleTable,
    KeyValueLines,
)
_FILES: tuple[type[FileFormat], ...] = (
    RunFolder,
    TrainerState,
    Notebook,
    JsonDocument,
    CsvTable,
    TensorBoardEvents,
    WandbOffline,
    MlflowDatabase,
    MlflowFolder,
    TrackioDatabase,
)
LINE_FORMATS: dict[str, type[LineFormat]] = {form.name: form for form in _LINES}
FILE_FORMATS: dict[str, type[FileFormat]] = {form.name: form for form in _FILES}
