"""The installed hooks: commits, merges and pushes as people and their programs make them."""

import os
import shutil
import sys

import pytest

from tests.security.scanner.conftest import KEY, LEAK, ROOT, Repository

CONFIGURATION = """
repos:
  - repo: {repo}
    {revision}
    hooks:
      - id: butler-gate
"""


@pytest.fixture
def guarded(repository):
    """A repository with one commit and the hooks."""
    repository.add("a.txt", "clean\n")
    repository.commit()
    repository.gate("install")
    return repository


@pytest.fixture
def public_remote(tmp_path):
    """(environment, repository): what ssh brings to any host arrives in this repository."""
    remote = Repository(tmp_path / "remote")
    remote.git("config", "core.bare", "true")
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nexec git receive-pack '{remote.folder}'\n")
    ssh.chmod(0o755)
    return {"GIT_SSH": str(ssh), "GIT_SSH_VARIANT": "simple"}, remote


def test_a_key_is_stopped_and_passes_when_it_is_ignored_and_a_public_push_is_warned_of(
    guarded, public_remote
):
    guarded.add(".env", f"NVIDIA_API_KEY={KEY}\n")
    said = guarded.refused()
    assert ".env:1:1: file-env" in said
    assert ".env:1:16: nvidia-key: NVIDIA key [error] nvapi-" in said
    assert "butler:allow" in said
    assert KEY not in said
    guarded.git("rm", "--quiet", "--cached", ".env")
    guarded.add(".gitignore", ".env\n")
    guarded.git("add", "--all")
    guarded.commit()
    environment, remote = public_remote
    pushed = guarded.git("push", "git@github.com:acme/app.git", "HEAD:main", **environment)
    assert "goes to github.com, where a repository can be public" in pushed.stderr
    assert remote.git("log", "--format=%s", "main").stdout == "change\nchange\n"


def test_a_push_to_a_public_host_can_be_refused(guarded, public_remote):
    guarded.git("config", "gate.publicpush", "refuse")
    environment, remote = public_remote
    push = ("push", "git@github.com:acme/app.git", "HEAD:main")
    assert guarded.git(*push, check=False, **environment).returncode == 1
    guarded.git("config", "gate.privateremote", "git@github.com:acme/")
    assert "public" not in guarded.git(*push, **environment).stderr


def test_a_merge_that_git_commits_by_itself_is_stopped(guarded):
    guarded.git("switch", "--quiet", "--create", "topic")
    guarded.add("b.txt")
    guarded.commit("--no-verify")
    guarded.git("switch", "--quiet", "main")
    guarded.add("c.txt", "clean\n")
    guarded.commit()
    merged = guarded.git("merge", "--no-edit", "topic", check=False)
    assert merged.returncode == 1
    assert "b.txt:2:7: nvidia-key" in merged.stdout + merged.stderr


def test_a_renamed_file_is_stopped(guarded):
    guarded.add("old.txt")
    guarded.commit("--no-verify")
    guarded.git("mv", "old.txt", "new name.txt")
    assert "new name.txt:2:7" in guarded.refused()


def test_a_submodule_is_committed_by_its_id(guarded, tmp_path):
    other = Repository(tmp_path / "other")
    other.add("leak.txt")
    other.commit()
    guarded.git("submodule", "--quiet", "add", str(other.folder), "part")
    guarded.commit()
    # The mode of a submodule.
    assert guarded.git("ls-tree", "HEAD", "part").stdout.startswith("160000 commit ")


def test_a_file_of_200_megabytes_is_committed(guarded):
    with (guarded.folder / "disk.img").open("wb") as file:
        file.truncate(200_000_000)
    guarded.git("-c", "core.compression=0", "-c", "core.bigFileThreshold=1m", "add", "disk.img")
    guarded.add("b.txt")
    assert "b.txt:2:7" in guarded.refused()
    guarded.git("rm", "--quiet", "--cached", "b.txt")
    guarded.commit()


@pytest.mark.parametrize("name", ["two words.txt", "two\nlines.txt", "tab\t'\".txt"])
def test_a_path_may_have_any_characters(guarded, name):
    guarded.add(name)
    shown = name.replace("\n", "\\x0a").replace("\t", "\\x09")
    assert f"{shown}:2:7: nvidia-key" in guarded.refused()


def test_a_commit_in_a_worktree_and_in_a_subfolder_is_stopped(guarded, tmp_path):
    guarded.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "tree" / "b.txt").write_text(LEAK)
    tree = ("-C", str(tmp_path / "tree"))
    guarded.git(*tree, "add", "b.txt")
    refused = guarded.git(*tree, "commit", "--quiet", "--message=x", check=False)
    assert refused.returncode == 1
    guarded.add("deep/er/c.txt")
    deep = ("-C", "deep/er", "commit", "--quiet", "--message=x")
    assert "deep/er/c.txt:2:7" in guarded.git(*deep, check=False).stderr + guarded.refused()


def test_a_program_with_windows_needs_no_terminal_and_no_path(guarded):
    git = os.path.dirname(shutil.which("git"))
    bare = {"PATH": git, "HOME": "/nonexistent", "TERM": "", "LC_ALL": "C"}
    guarded.add("ü.txt")
    assert ":2:7: nvidia-key" in guarded.refused(**bare)
    guarded.add("ü.txt", "clean\n")
    guarded.commit(**bare)


@pytest.mark.parametrize("folder", ["hooks of ours", ".husky"])
def test_a_hook_that_is_there_is_kept_in_the_folder_that_git_is_told_to_use(repository, folder):
    repository.git("config", "core.hooksPath", folder)
    hook = repository.folder / folder / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho ran >> ran.log\n")
    hook.chmod(0o755)
    repository.gate("install")
    repository.gate("install")
    repository.add("a.txt")
    repository.refused()
    assert (repository.folder / "ran.log").read_text() == "ran\n"


def test_a_gate_that_was_removed_says_what_to_do(guarded):
    hook = guarded.folder / ".git" / "hooks" / "pre-commit"
    hook.write_text(hook.read_text().replace(sys.executable, "/nonexistent/python"))
    guarded.add("b.txt", "clean\n")
    assert "Run 'gate install' again" in guarded.refused()


@pytest.fixture
def pre_commit(repository, tmp_path):
    """Run the pre-commit framework, offline, with the hook of this repository."""
    source = Repository(tmp_path / "gate")
    for path in [ROOT / ".pre-commit-hooks.yaml", *(ROOT / "security" / "scanner").glob("*.py")]:
        target = source.folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    source.git("add", "--all")
    source.git("commit", "--quiet", "--no-verify", "--message=gate")
    revision = source.git("rev-parse", "HEAD").stdout.strip()
    text = CONFIGURATION.format(repo=source.folder, revision=f"rev: {revision}")
    repository.add(".pre-commit-config.yaml", text)

    def run(*arguments):
        command = (sys.executable, "-m", "pre_commit", *arguments)
        return repository.run(*command, check=False, PRE_COMMIT_HOME=str(tmp_path / "cache"))

    return run


def test_the_pre_commit_framework_stops_a_key_and_lets_others_pass(repository, pre_commit):
    repository.add("a.txt")
    stopped = pre_commit("run")
    assert stopped.returncode == 1, stopped
    assert "a.txt:2:7: nvidia-key" in stopped.stdout
    repository.add("a.txt", "clean\n")
    assert pre_commit("run").returncode == 0


def test_a_commit_runs_the_hook_of_the_pre_commit_framework(repository, pre_commit, tmp_path):
    assert pre_commit("install").returncode == 0
    repository.add("a.txt")
    assert "a.txt:2:7" in repository.refused(PRE_COMMIT_HOME=str(tmp_path / "cache"))
