"""Answers templates with Jinja2: reads a list of cases as JSON, writes a list of answers.

A case has files (name to text; main is rendered), vars and options; an answer is the text, the native value as
repr, or null for an error."""
import json
import sys

from jinja2 import DictLoader, Environment, StrictUndefined
from jinja2.nativetypes import NativeEnvironment

answers = []
for case in json.load(sys.stdin):
    options = dict(case['options'])
    cls = NativeEnvironment if options.pop('native', False) else Environment
    try:
        env = cls(undefined=StrictUndefined, loader=DictLoader(case['files']),
                  extensions=['jinja2.ext.do', 'jinja2.ext.loopcontrols'], **options)
        answer = env.get_template('main').render(**case['vars'])
        answers.append(answer if cls is Environment else repr(answer))
    except Exception:
        answers.append(None)
json.dump(answers, sys.stdout)
