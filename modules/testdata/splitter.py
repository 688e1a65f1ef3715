# Makes splitter.json: what Ansible's and Python's own splitters answer.
# Usage: python3 splitter.py > splitter.json (with ansible-core installed)
import json
import random
import shlex

from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv, split_args

TEXTS = [
    'echo hi', 'echo hi chdir=/tmp', "a=b c='d e' \"f g\"", 'src={{ a b }} dest=/x', '{% if x %} a {% endif %} b',
    'one \\\n two', 'cat <<EOF\nline  two\nEOF\n', 'echo a\\=b', "x='it''s' y=\"q\\\"q\"", 'k = v', '=x', 'a="b',
    '{{ open', 'echo \\x41 m=\\u00e9 \\n', 'name=  value', 'creates=/a removes=/b warn=no ls -l a=b', 'é=ü "ñ ñ"',
    "msg='{{ x | default(\"a b\") }}' y", 'tail\\', 'a  b   c', ' lead', 'stdin="a b" cat', 'foo{{bar baz}}qux=1 2',
]
PIECES = ['a', 'b=c', ' ', '  ', "'", '"', '\\', '{{', '}}', '{%', '%}', '\n', '=', 'creates=/x', '\\n', 'é', '{#', '#}']
random.seed(7)
for _ in range(400):
    TEXTS.append(''.join(random.choice(PIECES) for _ in range(random.randint(1, 9))))


def attempt(call):
    try:
        return call()
    except (AnsibleError, ValueError, IndexError):
        return None


cases = []
for text in TEXTS:
    try:
        split_args(text)
    except IndexError:  # it trips over text that starts with a newline or blank; nothing to learn there
        continue
    except AnsibleError:
        pass
    cases.append({
        'text': text,
        'words': attempt(lambda: split_args(text)),
        'kv': attempt(lambda: parse_kv(text)),
        'raw': attempt(lambda: parse_kv(text, check_raw=True)),
        'shell': attempt(lambda: shlex.split(text)),
    })
print(json.dumps(cases, indent=None, separators=(',', ':')).replace('},{"text"', '},\n{"text"'))
