"""nginx: `nginx -t`, with stand-ins for what only the real machine has: certificates, upstream names, log folders."""

import os
import re
import tempfile

import tools
from core import together

TOOLS = ("nginx", "openssl")
BATCH = 20

NAME = re.compile(r"\.conf(\.template)?$|\.template$|(^|/)sites-(available|enabled)/[^/]+$")
CERTIFICATE = re.compile(r"\b(ssl_certificate|ssl_trusted_certificate|ssl_client_certificate)\s+[^;$]+;")
KEY = re.compile(r"\bssl_certificate_key\s+[^;$]+;")
# What a template leaves to `envsubst`: names in capitals, which no variable of nginx has.
VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")
WHOLE = re.compile(r"^\s*(events|http)\s*\{", re.M)
# The contexts that a fragment may be meant for, from the outside in.
FRAGMENTS = (
    "events {{}}\nhttp {{\n include {0};\n}}\n",
    "events {{}}\nhttp {{\n server {{\n include {0};\n }}\n}}\n",
    "events {{}}\nhttp {{\n server {{\n location / {{\n include {0};\n }}\n }}\n}}\n",
)


def is_ours(file):
    folders = os.path.dirname(file.rel).split("/")
    return file.target not in ("ansible", "helm") and bool(NAME.search(file.rel)) and (
        file.target == "nginx" or "nginx" in folders or file.name.startswith("nginx")
    )


def units(folder):
    """A whole configuration with its fragments, and each fragment that no configuration includes."""
    files = [file for file in folder.files if is_ours(file)]
    # What an image fills in at its start is never a whole one.
    whole = [file for file in files if WHOLE.search(file.text())]
    included = set()
    for file in whole:
        parts = [other for other in files if other is not file and any(matches(name, other) for name in includes(file, files))]
        included |= {part.path for part in parts}
        yield together(folder, [file, *parts], file.rel)
    for file in files:
        if file not in whole and file.path not in included:
            parts = [other for other in files if any(matches(name, other) for name in includes(file, files))]
            yield together(folder, [file, *parts], file.rel)


def includes(file, files, seen=()):
    """The patterns that a configuration includes, those of what it includes too."""
    for name in re.findall(r"^\s*include\s+([^;]+);", file.text(), re.M):
        yield name
        for other in files:
            if matches(name, other) and other.path not in seen and other is not file:
                yield from includes(other, files, (*seen, file.path))


def matches(pattern, file):
    """Whether a rendered file is the one that an `include` of the real machine finds."""
    folder, name = os.path.split(pattern.strip("\"'"))
    wanted = re.escape(name).replace(r"\*", ".*")
    # Templates lose their suffix on the way to the machine.
    own = file.name.removesuffix(".template")
    here = os.path.basename(os.path.dirname(file.rel))
    # Where sites are switched on, they are links to what is available.
    same = os.path.basename(folder).replace("sites-enabled", "sites-available") == here.replace("sites-enabled", "sites-available")
    # Folders such as `templates` and `nginx` say nothing of where a file goes; those of nginx do.
    return bool(re.fullmatch(wanted, own)) and (same or here not in ("conf.d", "snippets", "sites-available", "sites-enabled") and "*" not in name)


def read(units):
    for unit in units:
        with tempfile.TemporaryDirectory() as scratch:
            certificate(scratch)
            yield from tested(unit, scratch)


def certificate(folder):
    tools.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem",
    )


def tested(unit, scratch):
    copies = {}
    for file in unit.files:
        copies[os.path.join(scratch, "conf", file.rel.removesuffix(".template"))] = file
    for path, file in copies.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(stand_in(file.text(), copies, scratch))
    os.makedirs(os.path.join(scratch, "logs"), exist_ok=True)
    main = next(iter(copies))
    if WHOLE.search(unit.file.text()):
        result = test(main, scratch)
    else:
        for fragment in FRAGMENTS:
            wrapped = os.path.join(scratch, "wrapped.conf")
            with open(wrapped, "w", encoding="utf-8") as out:
                out.write(fragment.format(main))
            result = test(wrapped, scratch)
            # Only that a directive stands in the wrong place says that another context is meant.
            if "directive is not allowed here" not in result.stderr:
                break
    problems = re.findall(r"\[(\w+)\] (?:\d+#\d+: )?(.*)$", result.stderr, re.M)
    for level, message in problems:
        where = re.search(r" in (\S+):(\d+)$", message)
        file = copies.get(where[1], unit.file) if where else unit.file
        yield file.finding(re.sub(r" in \S+:\d+$", "", message).replace(scratch, ""), int(where[2]) if where else 1, level)
    if result.returncode and not problems:
        yield unit.file.finding(result.stderr)


def test(path, scratch):
    return tools.run("nginx", "-t", "-q", "-p", scratch, "-c", path, "-e", "stderr")


def stand_in(text, copies, scratch):
    """The configuration as it would be on its machine, line for line."""
    text = VARIABLE.sub(lambda name: "8080" if "PORT" in name[1] else "localhost", text)
    text = CERTIFICATE.sub(lambda at: f"{at[1]} {scratch}/certificate.pem;", text)
    text = KEY.sub(f"ssl_certificate_key {scratch}/key.pem;", text)
    text = re.sub(r"^(\s*)(ssl_dhparam|user|load_module)\s[^;]*;", r"\1", text, flags=re.M)
    text = re.sub(r"\b(access_log|error_log|pid|lock_file)\s+/(?!dev/)[^\s;]*", rf"\1 {scratch}/logs/any", text)
    text = re.sub(r"\b(\w+_(?:temp|cache)_path)\s+/[^\s;]*", rf"\1 {scratch}/\1", text)
    # Ports below 1024 are not everybody's, and the test binds them.
    text = re.sub(r"\blisten\s+((?:[\d.]+|\[[^\]]*\]|\*):)?(\d{1,4})\b", lambda at: f"listen {at[1] or ''}{int(at[2]) + 20000}", text)
    upstreams = set(re.findall(r"^\s*upstream\s+(\S+)", "\n".join(file.text() for file in copies.values()), re.M))
    text = re.sub(r"^(\s*server\s+)([A-Za-z][\w.-]*)(:\d+)?([^{;]*;)", r"\g<1>127.0.0.1\3\4", text, flags=re.M)
    text = re.sub(
        r"\b(\w+_pass\s+(?:\w+://)?)([A-Za-z][\w.-]*)(?=[:/;])",
        lambda at: at[0] if at[2] in upstreams or at[2] in ("unix", "http", "https", "grpc", "grpcs") else f"{at[1]}127.0.0.1",
        text,
    )
    return re.sub(r"^(\s*include\s+)([^;]+);", lambda at: included(at, copies), text, flags=re.M)


def included(at, copies):
    paths = [path for path, file in copies.items() if matches(at[2], file)]
    if len(paths) > 1 or paths and "*" in at[2]:
        return at[1] + os.path.join(os.path.dirname(paths[0]), "*" + os.path.splitext(paths[0])[1]) + ";"
    if paths:
        return f"{at[1]}{paths[0]};"
    return at[0] if at[2].startswith("/") else f"{at[1]}/etc/nginx/{at[2]};"
