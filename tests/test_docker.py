"""The container files, without a Docker engine: linted, resolved by Docker Compose, installed from, run.

What needs an engine or a GPU is tried by nothing here: pulling the base images, building, starting.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from container_files import (
    COMPOSE,
    DOCKERFILE,
    FOLDER,
    ROOT,
    VARIABLES,
    compose_command,
    instructions,
    program,
    services,
)
from docker.utils.build import exclude_paths
from packaging.requirements import Requirement
from packaging.version import Version

PASSWORD = "not-a-word-that-is-anywhere-else"


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    return services(POSTGRES_PASSWORD=PASSWORD)


@pytest.fixture(scope="module")
def context() -> set[str]:
    """Return the files that a build is given: what `.dockerignore` lets through."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    return {
        path for path in exclude_paths(str(ROOT), patterns, "docker/Dockerfile") if (ROOT / path).is_file()
    }


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [program("hadolint"), "--no-color", "--failure-threshold", "style", str(DOCKERFILE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_folder_does_not_hide_the_package_docker() -> None:
    assert not (FOLDER / "__init__.py").exists()


def test_there_are_a_database_a_server_and_a_sweeper(resolved: dict[str, Any]) -> None:
    assert set(resolved) == {"postgres", "mlflow", "sweeper"}
    assert resolved["mlflow"]["image"] == resolved["sweeper"]["image"]
    for name in ("postgres", "mlflow"):
        assert resolved[name]["healthcheck"]["test"][0] == "CMD"
        assert resolved[name]["restart"] == "unless-stopped"
    waits = {name: set(service.get("depends_on", {})) for name, service in resolved.items()}
    assert waits == {"postgres": set(), "mlflow": {"postgres"}, "sweeper": {"postgres", "mlflow"}}
    for service in resolved.values():
        assert {each["condition"] for each in service.get("depends_on", {}).values()} <= {"service_healthy"}


@pytest.mark.parametrize("variables", [{}, {"POSTGRES_PASSWORD": ""}])
def test_there_is_no_default_password(variables: dict[str, str]) -> None:
    done = compose_command("config", **variables)
    assert done.returncode != 0
    assert "required variable POSTGRES_PASSWORD is missing a value" in done.stderr
    assert "docker/.env.example" in done.stderr


def places(value: Any, path: str = "") -> list[str]:
    """Return where in the resolved file the password is."""
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in places(each, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for each in value for found in places(each, path)]
    return [path] if PASSWORD in str(value) else []


def test_the_password_is_in_no_url_and_no_command(resolved: dict[str, Any]) -> None:
    assert set(places(resolved)) == {
        ".postgres.environment.POSTGRES_PASSWORD",
        ".mlflow.environment.PGPASSWORD",
        ".sweeper.environment.PGPASSWORD",
    }


def test_the_example_of_the_variables_names_them_all() -> None:
    lines = (FOLDER / ".env.example").read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    read = dict(re.findall(r"\$\{(\w+)(?::-([^}]*))?", COMPOSE.read_text(encoding="utf-8")))
    assert example == read
    assert set(example) == set(VARIABLES)
    assert example["POSTGRES_PASSWORD"] == ""


def test_nothing_listens_beyond_this_machine(resolved: dict[str, Any]) -> None:
    ports = {name: service.get("ports", []) for name, service in resolved.items()}
    assert [port["host_ip"] for port in ports["mlflow"]] == ["127.0.0.1"]
    assert not ports["postgres"]
    assert not ports["sweeper"]


def test_the_sweeper_alone_has_a_gpu() -> None:
    found = services(POSTGRES_PASSWORD=PASSWORD, GPU="3")
    devices = found["sweeper"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "device_ids": ["3"], "capabilities": ["gpu"]}]
    assert not any("deploy" in found[name] for name in ("postgres", "mlflow"))


def test_our_services_run_as_a_user_who_owns_the_volumes(resolved: dict[str, Any]) -> None:
    users = [each.rest for each in instructions() if each.name == "USER"]
    assert users == ["1000:1000"]
    (made,) = [each.rest for each in instructions() if "useradd" in each.rest]
    owned = made.partition("--group=mishstudy ")[2].split()
    assert "--uid 1000 mishstudy" in made
    targets = [
        volume["target"]
        for name in ("mlflow", "sweeper")
        for volume in resolved[name]["volumes"]
        if volume["type"] == "volume"
    ]
    assert sorted(targets) == sorted(owned)
    for name in ("mlflow", "sweeper"):
        assert "user" not in resolved[name]
        assert resolved[name]["cap_drop"] == ["ALL"]


def test_the_paths_agree(resolved: dict[str, Any]) -> None:
    """What the image sets, what is mounted and what the commands name are the same folders."""
    variables = dict(
        word.split("=", 1) for each in instructions() if each.name == "ENV" for word in each.words
    )
    mounted = {volume["target"]: volume for volume in resolved["sweeper"]["volumes"]}
    assert variables["MISHSTUDY_HOME"] in mounted
    assert variables["MISHSTUDY_DATA"] in mounted
    assert mounted["/specs"]["read_only"]
    spec = Path(resolved["sweeper"]["command"][1])
    assert (FOLDER / mounted[str(spec.parent)]["source"] / spec.name).resolve().is_file()
    assert "--artifacts-destination=/artifacts" in resolved["mlflow"]["command"]
    assert [volume["target"] for volume in resolved["mlflow"]["volumes"]] == ["/artifacts"]
    (script,) = [v for v in resolved["postgres"]["volumes"] if v["type"] == "bind"]
    assert (FOLDER / script["source"]).is_file()
    assert script["target"].startswith("/docker-entrypoint-initdb.d/")


def test_the_build_is_given_what_it_copies_and_nothing_else(context: set[str]) -> None:
    copied = [source for each in instructions() if each.name == "COPY" for source in each.words[:-1]]
    assert copied
    for source in copied:
        assert any(path == source or path.startswith(f"{source}/") for path in context), source
    always = {"docker/Dockerfile", ".dockerignore"}  # Docker itself reads these
    assert not [path for path in context - always if path.split("/")[0] not in copied]
    assert not [path for path in context - always if path.endswith(".pyc") or "/." in f"/{path}"]


@pytest.mark.slow
def test_what_is_copied_can_be_installed_and_run(context: set[str], tmp_path: Path) -> None:
    """Follow the Dockerfile from its second COPY: into an empty folder, with its own pip command."""
    source, target = tmp_path / "src", tmp_path / "site"
    for path in context:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, source / path)
    (install,) = [each.words for each in instructions() if each.rest.endswith("--no-build-isolation .")]
    subprocess.run(
        [sys.executable, "-m", *install, "--quiet", "--no-cache-dir", "--target", str(target)],
        cwd=source, check=True,
    )  # fmt: skip
    entry = [each.words for each in instructions() if each.name == "ENTRYPOINT"]
    assert entry == [["mishstudy"]]
    done = subprocess.run(
        [str(target / "bin" / entry[0][0]), "plan", str(target / "sweeps/quickstart.toml")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(target), "MISHSTUDY_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "compiled programs" in done.stdout
    ours = [path for path in context if path.startswith(("analysis/", "mishstudy/", "study/", "sweeps/"))]
    assert ours
    assert not [path for path in ours if not (target / path).is_file()]


def test_the_first_command_of_the_image_is_one_of_ours() -> None:
    (arguments,) = [each.words for each in instructions() if each.name == "CMD"]
    done = subprocess.run(
        [sys.executable, "-m", "mishstudy", *arguments, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(argument in done.stdout for argument in arguments)


@pytest.mark.faults
def test_the_sweeper_says_in_a_sentence_that_the_database_is_away(
    resolved: dict[str, Any], tmp_path: Path
) -> None:
    command = ["sweep", str(ROOT / "sweeps/quickstart.toml"), *resolved["sweeper"]["command"][2:]]
    away = {"PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGPASSWORD": PASSWORD}
    done = subprocess.run(
        [sys.executable, "-m", "mishstudy", *command, "--home", str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, **away},
    )  # fmt: skip
    assert done.returncode == 2
    assert "must be a database URL that can be opened" in done.stderr
    assert "Connection refused" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_the_health_of_mlflow_is_bad_where_there_is_none(resolved: dict[str, Any]) -> None:
    _, python, *arguments = resolved["mlflow"]["healthcheck"]["test"]
    assert python == "python"
    arguments = [argument.replace(":5000/", ":1/") for argument in arguments]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    assert done.returncode != 0


def locked(path: Path) -> dict[str, Version]:
    """Return the versions of a lock; every one of them must be pinned and hashed."""
    found: dict[str, Version] = {}
    for block in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8")):
        if block.startswith("#"):
            continue
        requirement = Requirement(block.partition("\\")[0].strip())
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block
        found[requirement.name] = Version(pin.version)
    return found


def test_both_locks_agree_and_hold_no_index() -> None:
    small, large = locked(ROOT / "requirements.lock"), locked(ROOT / "requirements-gpu.lock")
    assert {name: version for name, version in large.items() if small.get(name, version) != version} == {}
    assert "://" not in (ROOT / "requirements-gpu.lock").read_text(encoding="utf-8")


def test_the_lock_of_the_gpu_box_satisfies_the_project() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    versions = locked(ROOT / "requirements-gpu.lock")
    for text in [*project["dependencies"], *extras["gpu"], *extras["postgres"]]:
        requirement = Requirement(text)
        assert versions[requirement.name] in requirement.specifier, text
    assert "psycopg-binary" in versions
    assert any(name.startswith("nvidia-cudnn-") for name in versions)


def test_the_image_has_a_python_that_the_project_supports() -> None:
    (image,) = [each.words[0] for each in instructions() if each.name == "FROM"]
    match = re.fullmatch(r"python:(3\.1[1-3])\.\d+-slim-bookworm", image)
    assert match, image
    locked_for = re.search(r"--python-version (\S+)", (ROOT / "Makefile").read_text())
    assert locked_for
    assert locked_for[1] == match[1]


def documented() -> list[str]:
    """Return the commands for Docker Compose in the documentation."""
    text = (ROOT / "docs/gpu.md").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if re.match(r"(GPU=1 )?docker compose ", line)]


@pytest.mark.parametrize("line", documented())
def test_docker_compose_understands_what_the_documentation_says(line: str) -> None:
    """Everything is parsed and resolved before Compose looks for an engine, and here it finds none."""
    variables, _, arguments = line.partition("docker compose ")
    option, path, *words = shlex.split(arguments, comments=True)
    assert (option, ROOT / path) == ("--file", COMPOSE)
    given = dict(each.split("=") for each in variables.split())
    nowhere = "unix:///nowhere/at.all"
    done = compose_command(*words, POSTGRES_PASSWORD=PASSWORD, DOCKER_HOST=nowhere, **given)
    assert done.returncode != 0
    assert f"failed to connect to the docker API at {nowhere}" in done.stderr
