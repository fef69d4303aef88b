"""What `metrics` offers: listed, sorted, documented, with examples that run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import metrics

MODULES = [
    "metrics",
    *(f"metrics.{found.name}" for found in pkgutil.iter_modules(metrics.__path__)),
]
FUNCTIONS = [name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))]
CLASSES = [name for name in metrics.__all__ if inspect.isclass(getattr(metrics, name))]


def documented(name: str) -> str:
    return inspect.getdoc(getattr(metrics, name)) or ""


def test_the_list_of_names_is_sorted_and_has_each_once() -> None:
    assert metrics.__all__ == sorted(set(metrics.__all__))


def test_the_list_holds_every_public_name() -> None:
    public = {
        name
        for name, value in vars(metrics).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(metrics.__all__) == public


def test_every_name_is_a_function_or_a_class_of_the_package() -> None:
    assert sorted(FUNCTIONS + CLASSES) == metrics.__all__
    for name in metrics.__all__:
        assert getattr(metrics, name).__module__.startswith("metrics.")


def test_the_measures_of_the_registry_have_functions() -> None:
    from metrics.measures import MEASURES

    named = {"map": "mean_average_precision"}
    assert {named.get(name, name) for name in MEASURES} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_documents_arguments_result_and_an_example(name: str) -> None:
    text = documented(name)
    for heading in ("Args:", "Returns:", ">>> "):
        assert heading in text, heading
    for argument, parameter in inspect.signature(getattr(metrics, name)).parameters.items():
        starred = f"**{argument}" if parameter.kind is parameter.VAR_KEYWORD else argument
        assert f"\n    {starred}: " in text, starred


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_typed(name: str) -> None:
    signature = inspect.signature(getattr(metrics, name))
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_says_what_it_is_and_what_it_holds(name: str) -> None:
    class_ = getattr(metrics, name)
    assert class_.__doc__
    fields = getattr(class_, "__dataclass_fields__", {})
    # the fields of a result stand in the docstring of the class that declares them
    text = "".join(inspect.getdoc(base) or "" for base in class_.__mro__[:-1])
    missing = [field for field in fields if f"\n    {field}: " not in text]
    assert missing == []


@pytest.mark.parametrize("name", ["Scoring", "Compared", "Scored"])
def test_settings_and_rows_are_frozen(name: str) -> None:
    assert getattr(metrics, name).__dataclass_params__.frozen


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert (importlib.import_module(module).__doc__ or "").strip()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_lists_its_public_names(module: str) -> None:
    found = importlib.import_module(module)
    names = found.__all__
    assert list(names) == sorted(names)
    assert all(hasattr(found, name) for name in names)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module: str) -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, _ = doctest.testmod(importlib.import_module(module), optionflags=options)
    assert failed == 0


def test_there_are_examples_to_run() -> None:
    finder = doctest.DocTestFinder()
    examples = [
        example
        for module in MODULES
        for test in finder.find(importlib.import_module(module))
        for example in test.examples
    ]
    assert len(examples) > 3 * len(FUNCTIONS)
