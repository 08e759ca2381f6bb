"""Where leaks stand: a small file for each way in which people write a secret down.

`@S@` is the secret; @N@, @n@, @c@ and @k@ are its name as API_KEY, api_key, apiKey and api-key; @V@
and @v@ its vendor. The leak is the line with the secret.
"""

import base64
import json
import random
import re
from collections.abc import Callable
from typing import NamedTuple

from bench.scanner.vendors import Kind

_TEXTS = {
    # Source code
    "settings.py": 'import os\n\nDEBUG = False\n@N@ = "@S@"\nTIMEOUT = 30\n',
    "client.py": "from vendor import @V@\n\n\ndef client():\n    return @V@(api_key='@S@', timeout=30)\n",
    "environ.py": 'import os\n\nos.environ["@N@"] = "@S@"\nmain()\n',
    "default.py": 'import os\n\n@n@ = os.getenv("@N@", "@S@")\nprint(len(@n@))\n',
    "mapping.py": "CONFIG = {\n    'region': 'eu-west-1',\n    '@n@': '@S@',\n    'retries': 3,\n}\n",
    "typed.py": 'class Settings:\n    host: str = "localhost"\n    @n@: str = "@S@"\n',
    "field.py": 'class Settings(BaseSettings):\n    @n@: SecretStr = Field(default="@S@")\n    port: int = 80\n',
    "comment.py": "# Ask ops for a new one when this stops working\n# @N@=@S@\nrun()\n",
    "request.py": 'def call():\n    return post(URL, headers={"Authorization": "Bearer @S@", "x-@v@": "1"})\n',
    "test_api.py": "def test_call(client):\n    client.@n@ = '@S@'\n    assert client.ok\n",
    "index.js": "const express = require('express');\nconst @c@ = '@S@';\nmodule.exports = { @c@ };\n",
    "config.ts": 'export const config = {\n  retries: 2,\n  @c@: "@S@",\n  region: "eu",\n};\n',
    "fallback.js": "const key = process.env.@N@ || '@S@';\nstart(key);\n",
    "fetch.js": "await fetch(url, {\n  headers: { '@k@': `@S@` },\n});\n",
    "client.tsx": "const @v@ = new @V@({ @c@: \"@S@\", maxRetries: 2 });\nexport default @v@;\n",
    "Config.java": 'public class Config {\n    private static final String @N@ = "@S@";\n    int port = 80;\n}\n',
    "App.java": 'void init() {\n    props.setProperty("@n@", "@S@");\n    start();\n}\n',
    "main.go": 'package main\n\nconst @c@ = "@S@"\n\nfunc main() { run() }\n',
    "client.go": 'func New() *Client {\n\treturn &Client{@c@: "@S@", Retries: 3}\n}\n',
    "Startup.cs": 'var host = "localhost";\nvar @c@ = "@S@";\nBuild(host);\n',
    "init.rb": "require 'vendor'\n@V@.configure { |c| c.@n@ = '@S@' }\nputs :ok\n",
    "env.rb": "ENV['@N@'] ||= '@S@'\nrun!\n",
    "config.php": "<?php\ndefine('DEBUG', false);\ndefine('@N@', '@S@');\n",
    "services.php": "return [\n    '@n@' => '@S@',\n    'debug' => false,\n];\n",
    "main.rs": 'use std::env;\nconst @N@: &str = "@S@";\nfn main() {}\n',
    "App.kt": 'object Config {\n    const val @N@ = "@S@"\n}\n',
    "Keys.swift": 'enum Keys {\n    static let @c@ = "@S@"\n}\n',
    "config.h": '#pragma once\n#define @N@ "@S@"\n#define PORT 80\n',
    "seed.sql": "BEGIN;\nINSERT INTO settings (name, value) VALUES ('@n@', '@S@');\nCOMMIT;\n",
    "index.html": '<body>\n<script>window.@c@ = "@S@";</script>\n</body>\n',
    "Jenkinsfile": "pipeline {\n  environment { @N@ = '@S@' }\n  agent any\n}\n",
    "call.py": 'connect(\n    host="db",\n    @n@="@S@",\n    port=5432,\n)\n',
    "wrapped.py": '@n@ = (\n    "@S@"\n)\nrun()\n',
    "list.py": 'import os\n\n@N@S = [\n    "@S@",\n    "other",\n]\n',
    "option.py": 'parser.add_argument("--@k@", default="@S@")\nargs = parser.parse_args()\n',
    "decouple.py": "DEBUG = config('DEBUG', default=False)\n@N@ = config('@N@', default='@S@')\n",
    "secret_str.py": 'settings = Settings(\n    @n@=SecretStr("@S@"),\n    debug=True,\n)\n',
    "equals.py": 'def check(key):\n    if @n@ == "@S@":\n        return True\n',
    "basic.py": 'r = get(URL, auth=("deploy", "@S@"), timeout=5)\nr.json()\n',
    "subprocess.py": 'run(["app", "--@k@", "@S@", "--quiet"])\nrun(["app"])\n',
    "env_list.py": 'client.run(image, environment=["@N@=@S@", "PORT=80"])\nclient.close()\n',
    "attribute.py": "import @v@\n\n@v@.@n@ = '@S@'\n@v@.start()\n",
    "docstring.py": '"""How to run:\n\n    export @N@=@S@\n    python app.py\n"""\n',
    "nullish.ts": "const key = process.env.@N@ ?? \"@S@\";\nexport { key };\n",
    "header.js": "const options = { headers: { Authorization: 'Bearer @S@', Accept: '*/*' } };\nsend(options);\n",
    "App.vue": '<script>\nexport default { data: () => ({ @c@: "@S@" }) }\n</script>\n',
    "comment.js": "start();\n/* old: @n@=@S@ */\n",
    "Value.java": 'class A {\n    @Value("${@n@:@S@}")\n    String key;\n}\n',
    "Builder.java": "var c = @V@.builder()\n    .@c@(\"@S@\")\n    .build();\n",
    "env.go": 'func init() {\n\tos.Setenv("@N@", "@S@")\n}\n',
    "Program.cs": 'services.Add(o => o.@c@ = "@S@");\nEnvironment.SetEnvironmentVariable("A", "b");\n',
    "lib.rs": 'fn client() -> Client {\n    Client::new().@n@(String::from("@S@"))\n}\n',
    "config.exs": 'import Config\nconfig :app, @n@: "@S@"\n',
    "build.gradle": 'android {\n  buildConfigField "String", "@N@", "\\"@S@\\""\n}\n',
    "form.html": '<form>\n<input type="hidden" name="@n@" value="@S@">\n</form>\n',
    "widget.html": '<body>\n<div id="w" data-@k@="@S@"></div>\n</body>\n',
    # Configuration
    ".env": "APP_ENV=production\n@N@=@S@\nLOG_LEVEL=info\n",
    ".env.local": 'PORT=3000\nexport @N@="@S@"\nHOST=0.0.0.0\n',
    "prod.env": "REGION=eu\n@N@='@S@'  # rotated in May\nDEBUG=0\n",
    "config.yaml": "app:\n  port: 80\n  @n@: @S@\n  debug: false\n",
    "values.yml": 'image:\n  tag: "1.2"\n@c@: "@S@"\nreplicas: 2\n',
    "docker-compose.yml": "services:\n  app:\n    environment:\n      - PORT=80\n      - @N@=@S@\n",
    "deployment.yaml": 'env:\n  - name: @N@\n    value: "@S@"\n  - name: PORT\n    value: "80"\n',
    "ci.yml": "jobs:\n  test:\n    env:\n      @N@: @S@\n    steps: []\n",
    "list.yaml": "tokens:\n  - @S@\nports:\n  - 80\n",
    "config.json": '{\n  "port": 80,\n  "@n@": "@S@",\n  "debug": false\n}\n',
    "compact.json": '{"name":"app","@c@":"@S@","port":80}\n',
    "env.json": '{"environment": [\n  {"name": "@N@", "value": "@S@"},\n  {"name": "PORT", "value": "80"}\n]}\n',
    "launch.json": '{"configurations": [{"env": {\n  "@N@": "@S@"\n}}]}\n',
    "appsettings.json": '{\n  "Logging": {},\n  "@V@:@c@": "@S@"\n}\n',
    "config.toml": '[app]\nport = 80\n@n@ = "@S@"\ndebug = false\n',
    "secrets.toml": "[@v@]\n@k@ = '@S@'\n",
    "app.ini": "[app]\nport = 80\n@n@ = @S@\ndebug = no\n",
    "app.properties": "server.port=80\n@v@.@k@=@S@\nserver.ssl=true\n",
    "config.xml": "<config>\n  <port>80</port>\n  <@n@>@S@</@n@>\n</config>\n",
    "web.config": '<appSettings>\n  <add key="@N@" value="@S@" />\n  <add key="Port" value="80" />\n</appSettings>\n',
    "strings.xml": '<resources>\n  <string name="@n@">@S@</string>\n</resources>\n',
    "nginx.conf": 'location / {\n  proxy_set_header @k@ "@S@";\n  proxy_pass http://app;\n}\n',
    "app.service": '[Service]\nEnvironment="@N@=@S@"\nExecStart=/usr/bin/app\n',
    "block.yaml": "app:\n  @n@: >-\n    @S@\n  port: 80\n",
    "flow.yaml": 'app: {port: 80, @n@: "@S@", debug: false}\nb: 1\n',
    "helm.yaml": "env:\n  - { name: @N@, value: @S@ }\n",
    "ansible.yml": "- name: install\n  vars:\n    @n@: '@S@'\n  tasks: []\n",
    "task.json": '{"containerDefinitions": [{"environment": [\n  {\n    "name": "@N@",\n    "value": "@S@"\n  }\n]}]}\n',
    "list.json": '{\n  "@n@s": [\n    "@S@",\n    "b"\n  ]\n}\n',
    "request.http": "GET https://api.@v@.com/v1/me\nX-Api-Key: @S@\nAccept: */*\n",
    "bearer.http": "GET https://api.@v@.com/v1/me\nAuthorization: Bearer @S@\nAccept: */*\n",
    "postman.json": '{"auth": {"type": "bearer", "bearer": [\n  {"key": "token", "value": "@S@", "type": "string"}\n]}}\n',
    "app.conf": "[server]\n@n@: @S@\nport: 80\n",
    "Info.plist": "<dict>\n  <key>@c@</key>\n  <string>@S@</string>\n</dict>\n",
    "settings.xml": '<entry key="@n@">@S@</entry>\n<entry key="port">80</entry>\n',
    "context.xml": '<bean>\n  <property name="@c@" value="@S@"/>\n</bean>\n',
    "hdfs-site.xml": "<property>\n  <name>@v@.@k@</name>\n  <value>@S@</value>\n</property>\n",
    "app.cfg": "[@v@]\n@k@=@S@\n",
    ".envrc": "layout python\nexport @N@=@S@\n",
    # Machines
    "Dockerfile": "FROM python:3.11\nENV @N@=@S@\nCMD run\n",
    "old.Dockerfile": "FROM python:3.11\nENV @N@ @S@\nCMD run\n",
    "build.Dockerfile": 'FROM node:22\nARG @N@="@S@"\nRUN make\n',
    "main.tf": 'provider "@v@" {\n  region = "eu"\n  @n@ = "@S@"\n}\n',
    "terraform.tfvars": 'region = "eu"\n@n@      = "@S@"\n',
    "variables.tf": 'variable "@n@" {\n  type    = string\n  default = "@S@"\n}\n',
    "deploy.sh": "#!/bin/sh\nset -e\nexport @N@=@S@\n./deploy\n",
    "call.sh": '#!/bin/sh\ncurl -s -H "Authorization: Bearer @S@" https://api.@v@.com/v1/models\n',
    "header.sh": "curl https://api.@v@.com/v1 \\\n  -H 'x-api-key: @S@' \\\n  -d @body.json\n",
    "option.sh": "set -e\n@v@-cli login --@k@ @S@ --quiet\n",
    "inline.sh": "#!/bin/bash\n@N@=@S@ python main.py\n",
    "Makefile": "PORT := 80\n@N@ := @S@\nrun:\n\t./run\n",
    "set.bat": "@echo off\r\nset @N@=@S@\r\nrun.exe\r\n",
    "profile.ps1": '$env:PORT = "80"\n$env:@N@ = "@S@"\n',
    "config.fish": "set -x PORT 80\nset -gx @N@ @S@\n",
    "run.Dockerfile": "FROM node\nRUN @v@ login --token @S@ && make\nCMD run\n",
    "equals.sh": "set -e\napp --@k@=@S@ --quiet\n",
    "docker.sh": "docker run -e @N@=@S@ -p 80:80 app\n",
    "gh.sh": "echo @S@ | @v@ auth login --with-token # @n@\n",
    "heredoc.sh": "cat > .env <<EOF\nPORT=80\n@N@=@S@\nEOF\n",
    "helm.sh": "helm upgrade app ./chart \\\n  --set app.@c@=@S@ \\\n  --wait\n",
    "k8s.sh": 'kubectl create secret generic app --from-literal="@n@=@S@"\n',
    "setx.bat": "@echo off\r\nsetx @N@ \"@S@\"\r\n",
    "main.bicep": "param location string\nvar @c@ = '@S@'\n",
    "template.yaml": 'Parameters:\n  Key:\n    Default: x\nEnvironment:\n  Variables:\n    @N@: "@S@"\n',
    # Texts
    "README.md": "# App\n\n```sh\nexport @N@=@S@\nmake run\n```\n",
    "setup.md": "Set the key `@S@` as `@N@` and start.\n\nDone.\n",
    "table.md": "| name | value |\n| --- | --- |\n| @N@ | `@S@` |\n",
    "notes.txt": "Meeting with ops\nThe new @V@ key is @S@, valid until June.\nThanks\n",
    "app.log": "2026-03-01 10:00:00 INFO start\n2026-03-01 10:00:01 DEBUG headers={'Authorization': 'Bearer @S@', 'host': 'api.@v@.com'}\n2026-03-01 10:00:02 INFO done\n",
    "error.log": "ERROR 401 Unauthorized\nERROR @n@=@S@ was refused by api.@v@.com\nINFO retry\n",
    "json.log": '{"level":"info","msg":"start"}\n{"level":"debug","msg":"config","@n@":"@S@","t":1.5}\n',
    "access.log": '10.0.0.1 - - "GET / HTTP/1.1" 200\n10.0.0.1 - - "GET /v1/@v@?@n@=@S@&page=2 HTTP/1.1" 200\n',
    "urls.txt": "https://api.@v@.com/v1/status\nhttps://api.@v@.com/v1/items?limit=5&@n@=@S@\n",
    "says.md": "# Setup\n\nThe @V@ API key is `@S@`.\n",
    "item.md": "- url: https://api.@v@.com\n- **@N@**: `@S@`\n",
    "chat.txt": "ada: what is the @V@ api key?\nbob: @n@: @S@\n",
    "curl.log": "> GET /v1/me HTTP/1.1\n> Host: api.@v@.com\n> Authorization: Bearer @S@\n> Accept: */*\n",
    "trace.log": "Traceback (most recent call last):\n  File \"a.py\", line 3, in run\nConfigError: invalid value for @n@: '@S@'\n",
    "repr.log": "INFO Settings(port=80, @n@='@S@', debug=False)\n",
    "stdout.ipynb": '{\n "cells": [\n  {\n   "outputs": [\n    {\n     "text": [\n      "{\'@N@\': \'@S@\', \'PORT\': \'80\'}\\n"\n     ]\n    }\n   ]\n  }\n ]\n}\n',
    "magic.ipynb": '{\n "cells": [\n  {\n   "source": [\n    "%env @N@=@S@\\n"\n   ]\n  }\n ]\n}\n',
    "code.diff": "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-@n@ = os.environ['@N@']\n+@n@ = '@S@'\n",
    "deep.json": '{\n  "message": "{\\"event\\": \\"{\\\\\\"@n@\\\\\\": \\\\\\"@S@\\\\\\"}\\"}"\n}\n',
    "keys.csv": "name,value,owner\n@N@,@S@,ada\nPORT,80,bob\n",
    "change.diff": "--- a/app.conf\n+++ b/app.conf\n@@ -1,2 +1,3 @@\n port = 80\n+@N@ = @S@\n-debug = 1\n",
    "remove.patch": '--- a/a.json\n+++ b/a.json\n@@ -1,3 +1,2 @@\n {\n-  "@n@": "@S@",\n   "port": 80\n',
    "book.ipynb": '{\n "cells": [\n  {\n   "cell_type": "code",\n   "source": [\n    "import os\\n",\n    "@n@ = \\"@S@\\"\\n",\n    "run()"\n   ]\n  }\n ]\n}\n',
    "output.ipynb": '{\n "cells": [\n  {\n   "outputs": [\n    {\n     "text": [\n      "@N@=@S@\\n"\n     ]\n    }\n   ]\n  }\n ]\n}\n',
    "environ.ipynb": '{\n "cells": [\n  {\n   "source": [\n    "os.environ[\'@N@\'] = \'@S@\'\\n"\n   ]\n  }\n ]\n}\n',
    "nested.json": '{\n  "id": 7,\n  "body": "{\\"user\\": \\"ada\\", \\"@n@\\": \\"@S@\\"}"\n}\n',
}  # fmt: skip
# A token alone says nothing here: nobody could know a password in them.
_NAMELESS = {"list.yaml", "notes.txt", "setup.md", "gh.sh", "run.Dockerfile"}
_URL_TEXTS = ("settings.py", ".env", "config.yaml", "config.json", "deploy.sh", "book.ipynb",
    "docker-compose.yml", "Config.java", "app.log", "README.md", "main.tf", "change.diff")  # fmt: skip
_BLOCKS = {
    "id_deploy": "{pem}\n",
    "server.key": "# made by ops\n{pem}\n",
    "keys.py": 'PORT = 80\n\n@N@ = """{pem}"""\n',
    "secret.yaml": "app:\n  @n@: |\n    {indented}\n  port: 80\n",
    "key.tf": "locals {{\n  @n@ = <<EOT\n{pem}\nEOT\n}}\n",
    "account.json": '{{\n  "type": "service_account",\n  "@n@": "{escaped}\\n"\n}}\n',
    "one.env": 'PORT=80\n@N@="{escaped}"\n',
    "Key.java": "class Key {{\n  String @c@ =\n{joined};\n}}\n",
}


_OF_TOKENS = re.compile(r"Bearer|x-api-key|API key|api_key|key\": \"token", re.IGNORECASE)


class Leak(NamedTuple):
    """A file with one secret in the lines from `first` to `last`."""

    path: str
    content: bytes
    first: int
    last: int


def leaks(kind: Kind, source: random.Random, count: int) -> list[Leak]:
    """A secret of its own in each of `count` files of different kinds."""
    if kind.is_block:
        return [_block(kind, name, source) for name in _BLOCKS]
    suited = _URL_TEXTS if kind.is_url else [name for name in _TEXTS if _suits(kind, name)]
    plain = [_plain(kind, name, source) for name in source.sample(suited, min(count, len(suited)))]
    return plain if kind.is_url else [*plain, *_wrapped(kind, source)]


def _suits(kind: Kind, name: str) -> bool:
    if kind.id.startswith("password") and _OF_TOKENS.search(_TEXTS[name]):
        return False
    return name not in _NAMELESS or has_form(kind)


def has_form(kind: Kind) -> bool:
    """Whether a secret of this kind is known without its name: it begins with more than a random piece."""
    return kind.id != "basic" and not (isinstance(kind.form, str) and kind.form.startswith("{"))


def _plain(kind: Kind, name: str, source: random.Random) -> Leak:
    secret = kind.body(source)
    if name.endswith((".json", ".ipynb", ".js", ".java")):
        secret = secret.replace("\\", "\\\\")
    text = _named(kind, _TEXTS[name])
    return _leak(kind, name, text, secret)


def _leak(kind: Kind, name: str, text: str, secret: str, encoding: str = "utf-8") -> Leak:
    line = text.count("\n", 0, text.index("@S@")) + 1
    content = text.replace("@S@", secret).encode(encoding)
    return Leak(f"{kind.id}/{name}", content, line, line + secret.count("\n"))


def _named(kind: Kind, text: str) -> str:
    snake = kind.name if "_" in kind.name else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.name)
    words = snake.lower().split("_")
    forms = {
        "@N@": "_".join(words).upper(),
        "@n@": "_".join(words),
        "@c@": words[0] + "".join(map(str.capitalize, words[1:])),
        "@k@": "-".join(words),
        "@V@": kind.vendor,
        "@v@": kind.vendor.lower(),
    }
    return re.sub(r"@[NnckVv]@", lambda sign: forms[sign[0]], text)


_WRAPPINGS: dict[str, Callable[[str], str]] = {
    "secret.yaml": lambda secret: f"data:\n  @n@: {base64.b64encode(secret.encode()).decode()}\n",
    "blob.json": lambda secret: json.dumps(
        {"v": 1, "blob": base64.b64encode(json.dumps({"k": secret}).encode()).decode()}
    ),
    "query.txt": lambda secret: "GET /?x=1&key=%22" + "".join(
        character if character.isalnum() else f"%{ord(character):02X}" for character in secret
    ) + "%22\n",
    "escaped.json": lambda secret: f'{{"cmd": "run \\u0022{secret}\\u0022"}}\n',
}  # fmt: skip


def _wrapped(kind: Kind, source: random.Random) -> list[Leak]:
    """One file in UTF-16; for what has a form, one in which the secret is encoded."""
    encoded = _leak(kind, "utf16.env", "PORT=80\r\n" + _named(kind, "@N@=@S@\r\n"),
                    kind.body(source), "utf-16")  # fmt: skip
    if not has_form(kind):
        return [encoded]
    name = source.choice(list(_WRAPPINGS))
    content = _named(kind, _WRAPPINGS[name](kind.body(source)))
    line = 2 if name == "secret.yaml" else 1
    return [encoded, Leak(f"{kind.id}/wrapped-{name}", content.encode(), line, line)]


def _block(kind: Kind, name: str, source: random.Random) -> Leak:
    pem = kind.body(source)
    text = _named(kind, _BLOCKS[name]).format(
        pem=pem,
        indented=pem.replace("\n", "\n    "),
        escaped=pem.replace("\n", "\\n"),
        joined=" +\n".join(f'    "{row}\\n"' for row in pem.split("\n")),
    )
    first = text.count("\n", 0, text.index("-----BEGIN")) + 1
    last = text.count("\n", 0, text.index("-----END")) + 1
    return Leak(f"{kind.id}/{name}", text.encode(), first, last)
