"""Steps before the start: done once, and again when their sources change."""

from pathlib import Path

from portal.demo.steps import Done, Step, steps


def a_step(folder: Path) -> Step:
    """Return a step that makes one file from another."""
    (folder / "source").mkdir(exist_ok=True)
    return Step(name="make", command=[], sources=(folder / "source",), product=folder / "product")


def test_step_is_due_until_it_is_marked_and_its_product_is_there(tmp_path: Path) -> None:
    step = a_step(tmp_path)
    assert Done(tmp_path).is_due(step)
    Done(tmp_path).mark(step)
    assert Done(tmp_path).is_due(step)
    step.product.touch()
    assert not Done(tmp_path).is_due(step)


def test_step_is_due_again_when_a_source_appears_or_changes(tmp_path: Path) -> None:
    step = a_step(tmp_path)
    step.product.touch()
    for content in ("one", "other content"):
        Done(tmp_path).mark(step)
        (tmp_path / "source" / "file").write_text(content)
        assert Done(tmp_path).is_due(step)


def test_unreadable_memory_means_that_all_is_due(tmp_path: Path) -> None:
    step = a_step(tmp_path)
    step.product.touch()
    (tmp_path / "done.json").write_text("not json")
    assert Done(tmp_path).is_due(step)


def test_another_folder_of_apps_makes_the_demo_data_due(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "mine.json").write_text("{}")
    (tmp_path / "portal.sqlite3").touch()
    migrate, _collectstatic, demo_data = steps(data=tmp_path, apps=None)
    done = Done(tmp_path)
    done.mark(migrate)
    done.mark(demo_data)
    migrate, _collectstatic, demo_data = steps(data=tmp_path, apps=tmp_path / "apps")
    assert not done.is_due(migrate)
    assert done.is_due(demo_data)
