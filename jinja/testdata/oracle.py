"""Answers expressions and templates with Jinja2, one JSON object a line."""
import json
import re
import resource
import signal
import sys
from types import GeneratorType

import jinja2
from jinja2 import Environment, StrictUndefined
from jinja2.sandbox import safe_range
from jinja2.nativetypes import NativeEnvironment


class Undefined(StrictUndefined):
    """As Ansible's: attributes and items are the same undefined value."""

    def __getattr__(self, name):
        if name[:2] == '__':
            raise AttributeError(name)
        return self

    def __getitem__(self, key):
        return self

    # Ours is an error wherever it would show.
    __repr__ = StrictUndefined.__str__


def check(v, seen=()):
    if id(v) in seen:
        return v
    if isinstance(v, dict):
        for x in v.values():
            check(x, seen + (id(v),))
    elif isinstance(v, (list, tuple)):
        for x in v:
            check(x, seen + (id(v),))
    elif isinstance(v, StrictUndefined):
        str(v)
    return v


def unroll(fn):
    from functools import update_wrapper

    def wrapper(*args, **kw):
        v = fn(*args, **kw)
        if isinstance(v, (GeneratorType, map, filter, zip)) or type(v).__name__.endswith(('iterator', 'reversed')):
            return list(v)
        return v
    return update_wrapper(wrapper, fn)


def make(cls, **kw):
    """Makes an environment with Ansible's rules."""
    env = cls(undefined=Undefined, finalize=check, keep_trailing_newline=True,
              extensions=['jinja2.ext.do', 'jinja2.ext.loopcontrols'], **kw)
    env.globals['range'] = safe_range
    for name, fn in list(env.filters.items()):
        env.filters[name] = unroll(fn)
    return env


def canon(v):
    if v is None:
        return 'none'
    if type(v) is jinja2.Undefined:
        return 's:'
    if isinstance(v, bool):
        return 'b:' + str(v).lower()
    if isinstance(v, int):
        return 'i:%d' % v
    if isinstance(v, float):
        return 'f:' + repr(v)
    if isinstance(v, str):
        return 's:' + str(v)
    if isinstance(v, (list, tuple, range)) or type(v).__name__ in ('dict_keys', 'dict_values', 'dict_items'):
        return '[' + ','.join(canon(x) for x in v) + ']'
    if isinstance(v, dict):
        return '{' + ','.join(canon(k) + '=' + canon(x) for k, x in v.items()) + '}'
    if isinstance(v, bytes):
        return 'y:' + repr(v)
    return type(v).__name__


address = re.compile(' at 0x[0-9a-f]+')
markup = re.compile(r'''Markup\(('[^']*'|"[^"]*")\)''')
vars_ = json.load(open(sys.argv[1]))['vars']
def late(*_):
    raise TimeoutError


signal.signal(signal.SIGALRM, late)
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
text, trimmed = make(Environment), make(Environment, trim_blocks=True, lstrip_blocks=True)
native = make(NativeEnvironment)

for line in sys.stdin:
    q = json.loads(line)
    scope = json.loads(json.dumps(vars_))
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        if q['kind'] == 'n':
            v = text.compile_expression(q['tpl'], undefined_to_none=False)(**scope)
            a = {'want': canon(check(v))}
        elif q['kind'] == 'l':
            a = {'want': canon(check(native.from_string(q['tpl']).render(**scope)))}
        else:
            env = trimmed if q['kind'] == 'w' else text
            a = {'want': env.from_string(q['tpl']).render(**scope)}
    except (TimeoutError, MemoryError):
        a = {'err': 'timeout'}
    except RecursionError:
        a = {'err': 'RecursionError'}
    except Exception as e:
        a = {'err': 'timeout' if 'Exceeds the limit' in str(e) else '%s: %s' % (type(e).__name__, e)}
    signal.setitimer(signal.ITIMER_REAL, 0)
    if 'want' in a:
        a['want'] = markup.sub(r'\1', address.sub('', a['want']))
    print(json.dumps(a), flush=True)
