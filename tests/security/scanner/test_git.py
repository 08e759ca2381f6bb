"""The gate in repositories as people have them."""

import json

import pytest

from tests.security.scanner.conftest import KEY, LEAK, Repository


def test_staged_content_is_scanned_not_the_working_tree(repository):
    repository.add("a.txt")
    repository.write("a.txt", "clean\n")
    assert repository.places("--staged") == ["a.txt:2"]
    repository.git("add", "a.txt")
    repository.write("a.txt")
    assert repository.places("--staged") == []


@pytest.mark.parametrize("name", ["a b.txt", "ü.txt", "-a.txt", 'a"b.txt', "deep/er/a.txt"])
def test_a_path_may_have_any_name(repository, name):
    repository.add(name)
    assert repository.places("--staged") == [f"{name}:2"]


def test_a_path_with_a_line_break_is_one_line_of_the_report(repository):
    repository.add("a\nb.txt")
    assert repository.places("--staged") == ["a\\x0ab.txt:2"]


def test_a_renamed_file_is_scanned(repository):
    repository.add("old.txt")
    repository.commit()
    repository.git("mv", "old.txt", "new.txt")
    assert repository.places("--staged") == ["new.txt:2"]


def test_a_deleted_file_is_not(repository):
    repository.add("old.txt")
    repository.commit()
    repository.git("rm", "--quiet", "old.txt")
    assert repository.places("--staged") == []


def test_a_submodule_and_a_link_are_passed_over(repository, tmp_path):
    other = Repository(tmp_path / "other")
    other.add("a.txt")
    other.commit()
    repository.git("submodule", "--quiet", "add", str(other.folder), "part")
    (repository.folder / "link").symlink_to("part/a.txt")
    repository.git("add", "link")
    assert repository.places("--staged") == []


def test_a_merge_commit_is_scanned(repository):
    repository.add("a.txt", "clean\n")
    repository.commit()
    repository.git("switch", "--quiet", "--create", "topic")
    repository.add("b.txt")
    repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.add("c.txt", "clean\n")
    repository.commit()
    repository.git("merge", "--quiet", "--no-commit", "topic")
    assert repository.places("--staged") == ["b.txt:2"]
    assert repository.places("--diff", "topic") == []
    repository.git("merge", "--abort")
    repository.git("switch", "--quiet", "topic")
    assert repository.places("--diff", "main") == ["b.txt:2"]


def test_history_has_what_was_removed_again(repository):
    repository.add("a.txt")
    repository.commit()
    repository.add("a.txt", "clean\n")
    repository.commit()
    assert repository.places("--tracked") == []
    assert repository.places("--history") == ["a.txt:2"]


def test_history_names_the_commit_that_brought_the_secret(repository):
    repository.add("a.txt", "clean\n")
    repository.commit()
    repository.add("b.txt")
    repository.commit()
    brought = repository.git("rev-parse", "HEAD").stdout.strip()
    repository.git("mv", "b.txt", "c.txt")
    repository.commit()
    assert f"in commit {brought[:12]}" in repository.gate("scan", "--history").stdout
    (finding,) = json.loads(repository.gate("scan", "--history", "--format=json").stdout)
    assert finding["commit"] == brought


def test_a_commit_of_a_part_is_scanned_as_this_part(repository):
    repository.gate("install")
    repository.add("a.txt", "clean\n")
    repository.commit()
    repository.write("a.txt", "clean as well\n")
    repository.add("b.txt")
    assert repository.commit("a.txt", check=False).returncode == 0
    refused = repository.commit(check=False)
    assert refused.returncode == 1
    assert "b.txt:2" in refused.stdout + refused.stderr


def test_the_first_commit_is_stopped_and_passes_when_the_file_is_taken_out(repository):
    assert repository.gate("install").returncode == 0
    repository.add(".env", "A=1\n")
    refused = repository.commit(check=False)
    assert refused.returncode == 1
    assert ".env:1:1: file-env" in refused.stdout + refused.stderr
    repository.git("rm", "--quiet", "--cached", ".env")
    repository.add(".gitignore", ".env\n")
    assert repository.commit(check=False).returncode == 0


def test_a_hook_that_is_there_runs_first(repository):
    hook = repository.folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho ran >> ran.log\n")
    hook.chmod(0o755)
    for _ in range(2):
        repository.gate("install")
    repository.add("a.txt")
    assert repository.commit(check=False).returncode == 1
    assert (repository.folder / "ran.log").read_text() == "ran\n"
    hook.with_name("pre-commit.before-gate").write_text("#!/bin/sh\nexit 3\n")
    repository.add("a.txt", "clean\n")
    assert repository.commit(check=False).returncode == 1


def test_the_folder_of_hooks_may_be_another_one(repository):
    repository.git("config", "core.hooksPath", "our hooks")
    repository.gate("install")
    repository.add("a.txt")
    assert (repository.folder / "our hooks" / "pre-commit").exists()
    assert repository.commit(check=False).returncode == 1


def test_a_worktree_has_the_hook_of_its_repository(repository, tmp_path):
    repository.gate("install")
    repository.add("a.txt", "clean\n")
    repository.commit()
    repository.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "tree" / "b.txt").write_text(LEAK)
    repository.git("-C", str(tmp_path / "tree"), "add", "b.txt")
    refused = repository.git(
        "-C", str(tmp_path / "tree"), "commit", "--quiet", "--message=x", check=False
    )
    assert refused.returncode == 1
    assert "b.txt:2" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("policy", "url", "code", "warned"),
    [
        (None, "https://github.com/acme/app.git", 0, True),
        (None, "git@github.com:acme/app.git", 0, True),
        (None, "ssh://git@gitlab.com/acme/app.git", 0, True),
        (None, "https://git.example.com/acme/app.git", 0, False),
        (None, "/srv/git/app.git", 0, False),
        (None, "https://github.com/private/app.git", 0, False),
        ("refuse", "https://github.com/acme/app.git", 1, True),
        ("off", "https://github.com/acme/app.git", 0, False),
    ],
)
def test_a_push_to_a_public_host_is_warned_of(repository, policy, url, code, warned):
    repository.git("config", "gate.privateremote", "https://github.com/private/")
    if policy:
        repository.git("config", "gate.publicpush", policy)
    printed = repository.gate("pre-push", url)
    assert (printed.returncode, bool(printed.stderr)) == (code, warned)


def test_the_hook_before_a_push_lets_it_pass(repository, tmp_path):
    Repository(tmp_path / "remote").git("config", "core.bare", "true")
    repository.gate("install")
    repository.add("a.txt", "clean\n")
    repository.commit()
    pushed = repository.git("push", "--quiet", str(tmp_path / "remote"), "main:topic", check=False)
    assert pushed.returncode == 0, pushed.stderr


def test_a_warning_has_no_password_of_the_url(repository):
    printed = repository.gate("pre-push", f"https://ada:{KEY}@github.com/acme/app.git")
    assert "https://ada@github.com/acme/app.git" in printed.stderr
    assert KEY not in printed.stderr
