"""From an alarm to a person or a command: sinks, and the dispatcher that feeds them."""

from collapse_lab.alerts.dispatcher import Dispatcher, Target, targets
from collapse_lab.alerts.sinks import Apprise, Call, Hook, Notice, Refused, Sink, Webhook
from collapse_lab.alerts.text import block, headline

__all__ = [
    "Apprise",
    "Call",
    "Dispatcher",
    "Hook",
    "Notice",
    "Refused",
    "Sink",
    "Target",
    "Webhook",
    "block",
    "headline",
    "targets",
]
