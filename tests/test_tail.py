"""Following a file: nothing is skipped, nothing comes twice, whatever the writer does."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab import tail as tail_module
from collapse_lab.tail import Tail


def test_a_file_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "log")
    assert tail.lines() == []
    (tmp_path / "log").write_text("one\n")
    assert tail.lines() == ["one"]


def test_a_torn_last_line_waits_for_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntw")
    tail = Tail(path)
    assert tail.lines() == ["one"]
    assert tail.lines() == []
    with path.open("a") as file:
        file.write("o\nthree")
    assert tail.lines() == ["two"]
    assert tail.rest() == "three"
    assert tail.rest() == ""


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_however_the_bytes_arrive_the_lines_are_the_same(pieces: list[bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        tail, lines = Tail(path), list[str]()
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece)
            lines += tail.lines()
        whole = b"".join(pieces).decode("utf-8", "replace")
        if b"".join(pieces).isascii():
            assert [*lines, tail.rest()] == whole.split("\n")
        else:
            assert len(lines) == whole.count("\n")


def test_a_character_torn_between_two_writes_is_whole(tmp_path: Path) -> None:
    path, text = tmp_path / "log", "entropy é\n".encode()
    path.write_bytes(text[:-2])
    tail = Tail(path)
    assert tail.lines() == []
    with path.open("ab") as file:
        file.write(text[-2:])
    assert tail.lines() == ["entropy é"]


def test_bytes_that_are_not_text_are_kept_as_replacements(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\xffb\nc\n")
    assert Tail(tmp_path / "log").lines() == ["a�b", "c"]


def test_a_truncated_file_is_read_again_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\nhal")
    tail = Tail(path)
    tail.lines()
    path.write_text("new\n")
    assert tail.lines() == ["new"]
    assert tail.rotations == 1


def test_a_replaced_file_is_read_from_its_start_even_when_it_is_longer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\n")
    tail = Tail(path)
    tail.lines()
    (tmp_path / "next").write_text("first\nsecond\nthird\n")
    (tmp_path / "next").replace(path)
    assert tail.lines() == ["first", "second", "third"]
    assert tail.rotations == 1


def test_a_line_longer_than_a_chunk_is_whole(tmp_path: Path) -> None:
    long = "x" * (2 * tail_module.CHUNK + 7)
    (tmp_path / "log").write_text(f"{long}\nshort\n")
    tail = Tail(tmp_path / "log")
    lines = [line for _ in range(5) for line in tail.lines()]
    assert lines == [long, "short"]


def test_carriage_returns_stay_inside_a_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"10%\r20%\rdone\n")
    assert Tail(tmp_path / "log").lines() == ["10%\r20%\rdone"]
