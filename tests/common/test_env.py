"""The readers of environment variables: what they understand and what stops the start."""

import stat

import pytest

from common import env


def test_a_blank_variable_is_the_default():
    assert env.text("A", "default", environ={"A": "  "}) == "default"
    assert env.integer("A", 7, least=1, most=9, environ={"A": ""}) == 7


@pytest.mark.parametrize(("value", "meaning"), [("yes", True), ("On", True), ("0", False)])
def test_a_flag_is_a_word_for_yes_or_no(value, meaning):
    assert env.flag("A", not meaning, environ={"A": value}) is meaning


@pytest.mark.parametrize("value", ["0", "11", "-1", "1.5", "ten", "１", "9" * 5000])
def test_a_number_out_of_range_or_shape_says_what_to_write(value):
    with pytest.raises(env.WrongSetting, match="A is .*: write a whole number from 1 to 10."):
        env.integer("A", 5, least=1, most=10, environ={"A": value})


def test_words_are_separated_by_commas():
    assert env.words("A", environ={"A": "a, b,,c "}) == ["a", "b", "c"]


def test_an_unknown_choice_names_the_known_ones():
    with pytest.raises(env.WrongSetting, match="write text or json"):
        env.choice("A", "text", among=("text", "json"), environ={"A": "xml"})


def test_a_flag_that_is_neither_says_what_to_write():
    with pytest.raises(env.WrongSetting, match="A is 'maybe': write yes or no."):
        env.flag("A", True, environ={"A": "maybe"})


@pytest.mark.parametrize(
    "value",
    ["butler.example", "http://a.example", "https://a.example/path", "https://a:x", "https://"],
)
def test_a_web_address_has_a_host_and_no_path(value):
    with pytest.raises(env.WrongSetting, match="write an address such as https://"):
        env.web_address("A", "", schemes=("https",), environ={"A": value})


def test_a_closing_slash_of_a_web_address_is_dropped():
    read = env.web_address("A", "", schemes=("https",), environ={"A": "https://a.example/"})
    assert read == "https://a.example"


def test_a_database_url_is_taken_apart():
    url = "postgres://us%40er:p%2Fw@db.example:5433/books?sslmode=require"
    assert env.postgres_url("A", environ={"A": url}) == {
        "HOST": "db.example",
        "PORT": "5433",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "NAME": "books",
        "OPTIONS": {"sslmode": "require"},
    }


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/n", "postgres://u:hunter2@h:port/n", "postgres://u:hunter2@h"]
)
def test_a_wrong_database_url_is_refused_without_repeating_its_password(url):
    with pytest.raises(env.WrongSetting) as refused:
        env.postgres_url("A", environ={"A": url})
    assert "write postgres://" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    file = tmp_path / "new" / "secret.key"
    first = env.secret("A", file=file, least=50, environ={})
    assert len(first) >= 50
    assert env.secret("A", file=file, least=50, environ={}) == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["hunter2", "ab" * 40])
def test_a_weak_secret_is_refused_without_repeating_it(value):
    with pytest.raises(env.WrongSetting, match="too short or too plain") as refused:
        env.secret("A", file=None, least=50, environ={"A": value})
    assert value not in str(refused.value)


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text('# a comment\n\nA=file\nexport B="with spaces"\n')
    environ = {"A": "environment"}
    env.read_file(file, environ=environ)
    assert environ == {"A": "environment", "B": "with spaces"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A = 1  ", "1"),
        ("A=1 # of the team", "1"),
        ("A='1' # of the team", "1"),
        ('export A="1"', "1"),
        ("A=pa#ss", "pa#ss"),
        ("A='pa # ss'", "pa # ss"),
        ("A=", ""),
        ("\ufeffA=1\r", "1"),
    ],
)
def test_a_line_is_read_as_shells_and_editors_write_it(tmp_path, line, value):
    file, environ = tmp_path / ".env", {}
    file.write_text(line + "\n", encoding="utf-8", newline="")
    env.read_file(file, environ=environ)
    assert environ == {"A": value}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("A=1\n".encode("utf-16"), "is not UTF-8: save it as UTF-8."),
        (b"A=\xe9\n", "is not UTF-8: save it as UTF-8."),
        (b"A=1\nB=2\nA=3\n", "line 3: A is in line 1 already."),
        (b"A=1\x002\n", "line 1: write NAME=value"),
        (b"A-B=hunter2\n", "line 1: write NAME=value"),
        (b"PORT: 8000\n", "line 1: write NAME=value"),
        (b'A="1\n2"\n', "line 2: write NAME=value"),
    ],
)
def test_a_file_that_would_be_misread_stops_the_start(tmp_path, content, said):
    file = tmp_path / ".env"
    file.write_bytes(content)
    with pytest.raises(env.WrongSetting) as refused:
        env.read_file(file, environ={})
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"BUTLER_PORT": "1"}, {"BUTLER_PORT": "PORT"}),
        ({"BUTLER_DATABASE_URL": "x"}, {"BUTLER_DATABASE_URL": "DATABASE_URL"}),
        ({"BUTLR_PUBLIC_URL": "x"}, {"BUTLR_PUBLIC_URL": "BUTLER_PUBLIC_URL"}),
        ({"BUTLERPUBLIC_URL": "x"}, {"BUTLERPUBLIC_URL": "BUTLER_PUBLIC_URL"}),
        ({"butler_public_url": "x"}, {"butler_public_url": "BUTLER_PUBLIC_URL"}),
        ({"DATABSE_URL": "x"}, {"DATABSE_URL": "DATABASE_URL"}),
        ({"DATABASE_URI": "x", "DATABASE_URL": "y"}, {}),
        ({"REPORT": "x", "PUBLIC_URL": "x", "PORTS": "1", "PATH": "/bin", "BUTLER_X": " "}, {}),
    ],
)
def test_a_misspelt_name_is_told_and_those_of_other_programs_are_not(environ, found):
    known = ("BUTLER_PUBLIC_URL", "BUTLER_MAIL_PORT", "DATABASE_URL", "PORT")
    assert env.unknown(prefix="BUTLER_", elsewhere=known, environ=environ) == found


@pytest.mark.parametrize(
    "value", ["https://ada:hunter2@a.example", "https://a example", "https://ada@a.example"]
)
def test_an_address_with_a_password_is_refused_without_repeating_it(value):
    for reader in (env.web_address, env.web_address_with_path):
        with pytest.raises(env.WrongSetting) as refused:
            reader("A", "", schemes=("https",), environ={"A": value})
        assert "hunter2" not in str(refused.value)


def test_a_line_that_is_no_variable_is_named(tmp_path):
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(env.WrongSetting, match="line 2: write NAME=value"):
        env.read_file(file, environ={})


def test_a_folder_may_be_anywhere_and_a_wrong_one_is_a_sentence(tmp_path, monkeypatch):
    """O55."""

    def read(value):
        return env.folder("A", tmp_path / "var", environ={"A": value})

    monkeypatch.setenv("HOME", str(tmp_path))
    odd = tmp_path / "a 'b\" %s \N{LATIN SMALL LETTER U WITH DIAERESIS}"
    assert read("") == (tmp_path / "var").resolve()
    assert read("~/butler") == (tmp_path / "butler").resolve()
    assert read(str(odd / ".." / "c")) == (tmp_path / "c").resolve()
    (tmp_path / "loop").symlink_to("loop")
    for wrong in (str(tmp_path / "loop"), "~nobody-of-this-name/x"):
        with pytest.raises(env.WrongSetting, match="write the path of a folder"):
            read(wrong)
    with pytest.raises(env.WrongSetting, match="cannot be read \\(File name too long"):
        env.read_file(tmp_path / ("x" * 300), environ={})
