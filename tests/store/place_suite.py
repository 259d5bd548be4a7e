"""What every `Place` must do: a suite that is inherited, with a fixture `place` that is empty."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latentcomp.common.errors import StoreError
from latentcomp.store.places.open import place_of
from latentcomp.store.places.parts import Span
from latentcomp.store.places.protocol import Place, exists

RECORD = "ledger/000000.json"
FILES = ("states/c.0.0.0", "token_ids/c.0")


class PlaceSuite:
    """Inherit as `class TestSomePlace(PlaceSuite)` and define the fixture `place`."""

    def test_starts_empty(self, place: Place) -> None:
        assert place.names() == ()
        assert place.visible_entry() is None
        assert not exists(place, "manifest.json")

    def test_reopens_by_its_path(self, place: Place) -> None:
        place.write("a/b", [b"x"])
        again = place_of(place.path)
        assert again.path == place.path and str(again) == str(place)
        assert again.read("a/b") == b"x"

    def test_reads_what_was_written_and_overwrites(self, place: Place) -> None:
        place.write("a/b", [b"one", bytearray(b"two"), memoryview(b"three")])
        assert place.read("a/b") == b"onetwothree"
        assert place.size("a/b") == 11
        place.write("a/b", [b"other"])
        assert place.read("a/b") == b"other"
        assert place.names() == ("a/b",)

    def test_a_missing_file_has_no_size_and_raises(self, place: Place) -> None:
        assert place.size("a") is None
        for reading in (place.read, place.open):
            with pytest.raises(FileNotFoundError):
                reading("a")

    def test_names_are_sorted_and_of_any_depth(self, place: Place) -> None:
        for name in ("b", "a/c/d", "a/b"):
            place.write(name, [b"x"])
        assert place.names() == ("a/b", "a/c/d", "b")
        assert place.names("a") == ("a/b", "a/c/d")
        assert place.names("nowhere") == ()

    def test_hidden_entries_do_not_count_as_visible(self, place: Place) -> None:
        place.write(".lock", [b"x"])
        assert place.visible_entry() is None
        place.write("folder/file", [b"x"])
        assert place.visible_entry() == "folder"

    def test_a_write_that_fails_leaves_nothing(self, place: Place) -> None:
        def failing() -> Iterator[bytes]:
            yield bytes(8 * 2**20)  # more than one part of an upload
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            place.write("states/c.0.0.0", failing())
        assert place.names() == ()

    def test_a_record_is_visible_only_when_published(self, place: Place) -> None:
        staged = [
            place.stage([(f"data/{i}", [b"data"])], (f"ledger/{i}", [b"record"])) for i in range(3)
        ]
        assert place.names("ledger") == () or all(
            name.rpartition("/")[2].startswith(".") for name in place.names("ledger")
        )
        place.publish(staged)
        assert place.names() == tuple(f"{f}/{i}" for f in ("data", "ledger") for i in range(3))
        assert place.read("data/1") == b"data" and place.read("ledger/1") == b"record"

    def test_the_parts_of_a_record_are_iterated_after_all_files(self, place: Place) -> None:
        order: list[str] = []

        def parts(name: str) -> Iterator[bytes]:
            order.append(name)
            yield name.encode()

        files = [(name, parts(name)) for name in FILES]
        place.publish([place.stage(files, (RECORD, parts(RECORD)))])
        assert order == [*FILES, RECORD]

    def test_a_stage_that_fails_leaves_no_record(self, place: Place) -> None:
        def failing() -> Iterator[bytes]:
            yield b"x"
            raise RuntimeError("no more")

        with pytest.raises(RuntimeError, match="no more"):
            place.stage([(FILES[0], [b"x"]), (FILES[1], failing())], (RECORD, [b"y"]))
        assert not exists(place, RECORD) and not exists(place, FILES[1])

    def test_removes_files_and_folders_also_missing_ones(self, place: Place) -> None:
        for name in ("a/one", "a/two", "b"):
            place.write(name, [b"x"])
        place.remove("a/one", "a/three")
        assert place.names() == ("a/two", "b")
        place.remove_folder("a")
        place.remove_folder("nowhere")
        assert place.names() == ("b",)

    def test_reads_spans_into_several_buffers(self, place: Place) -> None:
        place.write("file", [bytes(range(100))])
        file = place.open("file")
        assert file.size == 100
        buffers = [bytearray(3), bytearray(5), bytearray(1)]
        views = [memoryview(buffer) for buffer in buffers]
        file.read([Span(10, views[:2]), Span(99, views[2:])])
        assert [bytes(buffer) for buffer in buffers] == [
            bytes(range(10, 13)),
            bytes(range(13, 18)),
            bytes([99]),
        ]
        with pytest.raises(ValueError, match="the file is cut off at 100 bytes"):
            file.read([Span(98, [memoryview(bytearray(3))])])

    def test_arrow_reads_a_table(self, place: Place) -> None:
        table = pa.table({"a": [1, 2, 3]})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        place.write("table.parquet", [sink.getvalue().to_pybytes()])
        assert pq.read_table(place.arrow("table.parquet")).equals(table)

    @pytest.mark.parametrize(
        ("first", "second", "refused"),
        [
            (None, None, True),
            (None, range(0, 3), True),
            (range(0, 3), None, True),
            (range(0, 3), range(0, 3), True),
            (range(0, 3), range(2, 5), True),
            (range(0, 3), range(3, 5), False),
            (range(3, 5), range(0, 3), False),
        ],
    )
    def test_locks_exclude_overlapping_shards(
        self, place: Place, first: range | None, second: range | None, refused: bool
    ) -> None:
        held = place.lock("me", first)
        assert held.sole_writer
        if refused:
            with pytest.raises(StoreError, match="me .pid"):
                place.lock("me too", second)
        else:
            other = place.lock("me too", second)
            assert not other.sole_writer
            other.release()
        held.release()
        held.release()
        assert place.names() == ()

    def test_the_mutex_leaves_no_file_also_after_an_error(self, place: Place) -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), place.mutex():
                raise ZeroDivisionError
        assert place.names() == ()
