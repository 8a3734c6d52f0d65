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


def test_steps_name_sources_that_exist_and_products_in_the_data_folder(tmp_path: Path) -> None:
    for step in steps(data=tmp_path):
        assert step.sources
        assert all(source.exists() for source in step.sources), step.name
        assert step.product.is_relative_to(tmp_path)
