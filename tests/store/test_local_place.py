"""A folder as a `Place`."""

import pytest

from latentcomp.common.errors import StoreError
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.open import place_of

from .place_suite import PlaceSuite


class TestLocalPlace(PlaceSuite):
    @pytest.fixture
    def place(self, tmp_path):
        place = LocalPlace(tmp_path / "store")
        place.prepare()
        return place

    def test_partial_files_of_killed_writers_are_removed(self, place):
        place.write("states/c.0", [b"x"])
        place.write("states/.c.1.99.partial", [b"x"])
        place.remove_partials()
        assert place.names() == ("states/c.0",)

    def test_a_file_in_place_of_the_folder_is_refused(self, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(StoreError, match="is a file, so it is no feature store"):
            LocalPlace(tmp_path / "file").visible_entry()

    def test_file_addresses_and_strings_are_folders(self, place):
        for path in (place.path, str(place.path), f"file://{place.path}", place):
            assert isinstance(place_of(path), LocalPlace)
            assert place_of(path).path == place.path
