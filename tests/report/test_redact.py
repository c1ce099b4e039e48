"""Secrets stay on the machine; what merely sounds like one is shown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.report.redact import MASK, command, masked, settings


@pytest.mark.parametrize(
    "name",
    ["token", "hf_token", "HF_TOKEN", "api_key", "apikey", "wandb.api-key", "password", "db_passwd",
     "client_secret", "credentials", "auth", "sshPrivateKey", "slack_webhook", "session_cookie",
     "use_wandb"],
)  # fmt: skip
def test_a_value_under_the_name_of_a_secret_is_masked(name: str) -> None:
    assert dict(settings({name: "open sesame"})) == {name: MASK}


@pytest.mark.parametrize(
    ("name", "value"), [("max_tokens", 4096), ("key_dim", 64), ("use_token_loss", True),
                        ("use_wandb", True), ("token", None), ("tokenizer", ""), ("keep", "all")]
)  # fmt: skip
def test_numbers_switches_and_nothing_are_no_secrets(name: str, value: object) -> None:
    assert MASK not in dict(settings({name: value}))[name]


def test_a_password_is_masked_even_when_it_is_a_number() -> None:
    assert dict(settings({"password": 1234})) == {"password": MASK}


def test_a_secret_inside_a_list_or_a_deeper_mapping_is_masked() -> None:
    config = {"hub": {"tokens": ["a", "b"]}, "env": {"WANDB_API_KEY": "abc", "SEED": "1"}}
    assert dict(settings(config)) == {
        "hub.tokens": MASK, "env.WANDB_API_KEY": MASK, "env.SEED": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["hf_abcdefghij0123456789", "sk-proj-abcdefghijklmnop", "ghp_0123456789abcdef0123",
     "https://me:hunter22@example.com/x", "MY_TOKEN=hunter22", '{"api_key": "hunter22"}'],
)  # fmt: skip
def test_a_secret_is_known_by_its_look_wherever_it_stands(text: str) -> None:
    shown = dict(settings({"note": f"use {text} here"}))["note"]
    assert MASK in shown and "hunter22" not in shown and "0123456789" not in shown


def test_prose_about_keys_is_left_alone() -> None:
    text = "take the key: red; monkey: banana; max_tokens=64"
    assert masked(text) == text


def test_the_argument_after_a_secret_option_is_masked_and_the_rest_is_quoted() -> None:
    words = [
        "python",
        "a b.py",
        "--hf-token",
        "hunter22",
        "--api-key=hunter22",
        "--max-tokens",
        "9",
    ]
    assert command(words) == f"python 'a b.py' --hf-token {MASK} --api-key={MASK} --max-tokens 9"


@given(st.recursive(st.text() | st.floats() | st.none(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.text(), inner)
)))  # fmt: skip
def test_any_configuration_is_told_as_text(config: object) -> None:
    assert all(isinstance(text, str) for pair in settings(config) for text in pair)


@pytest.mark.parametrize("text", ["x" * 10**6, "a." * 5 * 10**5, "://" * 3 * 10**5, "= " * 10**5])
def test_a_megabyte_is_looked_through_at_once(text: str) -> None:
    begun = time.perf_counter()
    masked(text)
    assert time.perf_counter() - begun < 2
