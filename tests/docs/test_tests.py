"""docs/tests.md has a line for every test module, and says what the module says of itself."""

from __future__ import annotations

from tests.docs.tests_page import FOLDERS, PAGE, ROOT, page


def test_the_page_is_what_the_modules_say() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.docs.tests_page"


def test_every_folder_of_tests_is_a_package_that_says_what_it_is_about() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}

    assert folders == set(FOLDERS)
    assert [name for name in sorted(folders) if not (ROOT / "tests" / name / "__init__.py").is_file()] == []
