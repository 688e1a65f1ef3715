"""Answers expressions as ansible-core's own templar does.

Reads {"dir": folder, "vars": {...}, "expressions": [...]} on stdin; prints a JSON list with
{"v": value with its types} or {"e": message} for each. ANSIBLE_JINJA2_NATIVE chooses the mode.
"""
import json
import os
import resource
import sys

from ansible import constants as C
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.display import Display


def canon(v):
    if v is None:
        return "none"
    if isinstance(v, bool):
        return "b:true" if v else "b:false"
    if isinstance(v, int):
        return "i:%d" % v
    if isinstance(v, float):
        return "f:" + repr(v)
    if isinstance(v, str):
        return "s:" + json.dumps(str(v))
    if isinstance(v, bytes):
        return "bytes:" + repr(v)
    if isinstance(v, tuple):
        return "(" + ",".join(canon(x) for x in v) + ")"
    if isinstance(v, dict):
        return "{" + ",".join(canon(k) + "=" + canon(x) for k, x in v.items()) + "}"
    if isinstance(v, (set, frozenset)):
        return "set[" + ",".join(sorted(canon(x) for x in v)) + "]"
    if hasattr(v, "__iter__"):
        return "[" + ",".join(canon(x) for x in v) + "]"
    return type(v).__name__ + ":" + str(v)


def commonpath(paths):
    if not isinstance(paths, (list, tuple)):
        raise TypeError("|commonpath expects sequence")
    return os.path.commonpath(paths)


def vaulted_file(path):
    with open(path, "rb") as f:
        return f.read(14) == b"$ANSIBLE_VAULT"


def timedout(result):
    if not isinstance(result, dict):
        raise TypeError("The 'timedout' test expects a dictionary")
    return bool(result.get("timedout", False) and result["timedout"].get("period", False))


def add_later(environment):
    """What came after ansible-core 2.14, where it is Python's own or one line."""
    environment.filters["normpath"] = os.path.normpath
    environment.filters["commonpath"] = commonpath
    environment.tests["vaulted_file"] = vaulted_file
    environment.tests["timedout"] = timedout


def main():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    Display().warning = lambda *a, **k: None
    Display().deprecated = lambda *a, **k: None
    req = json.load(sys.stdin)
    os.chdir(req["dir"])
    loader = DataLoader()
    loader.set_basedir(req["dir"])
    out = []
    for x in req["expressions"]:
        templar = Templar(loader, variables=dict(req["vars"]))
        add_later(templar.environment)
        text = "{{ [ %s ] }}" % x if C.DEFAULT_JINJA2_NATIVE else "{{ %s }}" % x
        try:
            v = templar.template(text, fail_on_undefined=True)
            if C.DEFAULT_JINJA2_NATIVE:
                v = v[0]
            out.append({"v": canon(v)})
        except Exception as e:
            out.append({"e": str(e)})
    json.dump(out, sys.stdout)


main()
