"""Renders and compiles with Debian's python3-jinja2; prints seconds for each as JSON."""
import json
import sys
import time

import jinja2
from jinja2.runtime import Context, missing

with open(sys.argv[1]) as f:
    text = f.read()
with open(sys.argv[2]) as f:
    variables = json.load(f)["vars"]
with open(sys.argv[3]) as f:
    fleet = json.load(f)


def best(what, rounds=5, seconds=0.2):
    """The median of several rounds, each long enough to be measured."""
    times = []
    for _ in range(rounds):
        n, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            what()
            n += 1
        times.append((time.perf_counter() - start) / n)
    return sorted(times)[rounds // 2]


class Lazy(Context):
    """Looks variables up as they are read and renders those that are templates, as Ansible does."""

    def resolve_or_missing(self, key):
        raw = self.parent.get(key, missing)
        if isinstance(raw, str) and "{{" in raw:
            memory = self.parent["memory"]
            if key not in memory:
                memory[key] = compiled(raw).root_text(self.parent)
            return memory[key]
        return raw


class Template(jinja2.Template):
    def root_text(self, parent):
        return "".join(self.root_render_func(Lazy(self.environment, parent, self.name, self.blocks)))


env = jinja2.Environment(undefined=jinja2.StrictUndefined)
env.template_class = Template
cache = {}


def compiled(raw):
    if raw not in cache:
        cache[raw] = env.from_string(raw)
    return cache[raw]


def task():
    for name in fleet["hosts"]:
        parent = dict(env.globals, **fleet["vars"], inventory_hostname=name, memory={})
        for argument in fleet["args"].values():
            compiled(argument).root_text(parent)


plain = jinja2.Environment()
template = plain.from_string(text)
print(json.dumps({
    "render": best(lambda: template.render(variables)),
    "compile": best(lambda: plain.from_string(text)),
    "fleet": best(task, rounds=3),
}))
