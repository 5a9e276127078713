"""Writes scalars.jsonl: what jina's YAML loader makes of values in a flow file, variables included.

Needs jina==3.27.20, docarray==0.21.0 and setuptools<81; run it in this folder: python make_scalars.py > scalars.jsonl
Each line: the YAML document, the environment, and the value of its key `v` as the loader returns it (or the name of the
exception). Numbers that JSON cannot hold are written as {"float": "inf"}.
"""

import json
import math
import os
import warnings

warnings.simplefilter('ignore')
from jina.jaml import JAML  # noqa: E402

ENV = {
    'X': 'abc', 'N': '12', 'F': '1.5', 'T': 'true', 'L': '[a, 2]', 'E': '', 'Q': '"7"', 'CHAIN': '$N', 'CHAIN2': '$CHAIN',
    'P': 'pp', 'ENV_X': 'trap', 'D': '/a/b', 'LIST': '51000,51001', 'DOLLAR': 'a$', 'REF': '${{root.other}}',
}

VALUES = [
    # plain scalars of YAML 1.1
    '12', '+12', '-3', '0', '007', '08', '0x1F', '0b101', '0o17', '1_000', '1:30', '1:30.5', '0:3', '1.5', '-1.5', '1.', '.5',
    '1e5', '1.0e5', '1.0e+5', '.inf', '-.inf', '.nan', 'inf', 'nan', 'Infinity', '-inf', '1_0.5', '1__0', '0_7', '1,2', '0,1',
    'true', 'True', 'TRUE', 'tRuE', 'false', 'yes', 'Yes', 'YES', 'yEs', 'no', 'No', 'on', 'On', 'ON', 'off', 'Off', 'OFF', 'y', 'n',
    'null', 'Null', 'NULL', '~', '', 'None', 'nil', '12345678901234567890123', '99999999999999999999', 'RR0:2', 'RR:2', '@rr', '0x', '1 2',
    '!!str 12', '!!int "3"', '!!float 3', '!!bool "yes"', '!!null x', "'~'", "'null'", '1e400',
    # strings, read again
    "'12'", '"12"', "' 12 '", "'+5'", "'-5'", "'1_000'", "'0x1F'", "'007'", "'1.5'", "'1e5'", "'.5'", "'5.'", "'1e'", "'true'", "'TRUE'", "'False'",
    "'yes'", "'no'", "'on'", "''", "' '", "'[a, 2]'", "'[]'", "'[ ]'", "'[a,]'", "'[[1, 2], 3]'", "'[true, 1.5, x y]'", '"\'12\'"', "'\"12\"'",
    '"\'a b\'"', "'\"a'", "'\"'", "'\"\"'", "'\"\"\"\"'", '"\'a\\nb\'"', '"\'a\'\\n"', '"a\\nb"', "'inf'", "'-Infinity'", "'NaN'", "'[''a'', \"b\"]'",
    # environment variables
    '$X', '${X}', '${{ ENV.X }}', '${{ env.X }}', '"${{ ENV.X }}"', '${{ENV.X}}', '${{env.X}}', '${{ Env.X }}', '${{  ENV.X }}', '${{ENV.X }}', '"a$X"',
    '$N', '"$N"', '${N}', '${{ ENV.N }}', '"1$N"', '$F', '$T', '$L', '$E', '"$E"', '"a${E}b"', '$Q', '"${{ ENV.Q }}"', '$CHAIN', '${{ ENV.CHAIN2 }}',
    '$NOPE', '${NOPE}', '${{ ENV.NOPE }}', '${{ env.NOPE }}', '"x ${{ ENV.NOPE }} y"', '${{ENV.NOPE}}', '$$P', '$$NOPE', '"$$P ${{ ENV.X }}"', '"$$$P"', '$',
    '"$ X"', '"$-X"', '"${}"', '"${X"', '"$X-$P"', '"$XP"', '"${X}P"', '"$D/c"', '"$D.c"', '"${{ ENV.X }}/${{ ENV.P }}/$N"', '"${{ ENV.ENV.X }}"', '${{ ENV. }}',
    '$LIST', '$DOLLAR', '"${DOLLAR}P"', '$REF', '"${{\\tENV.X\\t}}"', '"[$N, $X]"', '["$N", "$X", 3]', '{a: $N, b: [$X]}', "'${X}'", '"é$X"', '"$Xé"',
    # context variables: none on the command line
    '${{ CONTEXT.X }}', '${{ context.X }}', '${{ X }}', '${{ nope }}', '"a ${{ nope }} b"', '${{ CONTEXT.nope }}', '"${{ nope }} ${{ ENV.X }}"', '${{ }}',
    # references within the file
    '${{root.other}}', '${{root.deep.port}}', '"a${{root.other}}b"', '${{this.other}}', '${{root.list[1]}}', '${{root.list[0].name}}', '${{root.list[7]}}',
    '${{root.nope}}', '${{foo}}', '${{foo.bar}}', '${{root}}', '${{root.deep}}', '${{root.flag}}', '${{root.none}}', '${{root.num}}', '${{root.nums}}',
    '${{root.words}}', '${{root.env}}', '${{root.chain1}}', '${{root.v}}', '"${{root.other}} $N"', '"${{root.other}} ${{ ENV.X }}"', '${{0}}', '${{root..other}}',
    '${{root.list[x]}}', '${{root.other[0]}}', '${{ root.other }}', '{a: 5, b: "${{this.a}}"}', '[7, "${{this[0]}}"]', '${{root.float}}', '${{ENV.N}}', '"${{ENV.Q}}"',
    '${{root.deep.port}}${{root.num}}', '${{root.quoted}}', '${{root.date}}',
]

REST = '''
other: text
num: 5
float: 1.0
flag: true
none:
date: 2001-02-03
nums: [1, 2.5, true]
words: [a, b c]
quoted: "'it'"
deep: {port: 51000}
list: [{name: first}, second]
env: $N
chain1: ${{root.chain2}}
chain2: ${{root.chain3}}
chain3: ${{root.chain4}}
chain4: ${{root.chain5}}
chain5: end
'''


def plain(x):
    if isinstance(x, float) and (math.isinf(x) or math.isnan(x)):
        return {'float': str(x)}
    if isinstance(x, float):
        return {'float': repr(x)}
    if isinstance(x, list):
        return [plain(y) for y in x]
    if isinstance(x, dict):
        return {k: plain(y) for k, y in x.items()}
    if isinstance(x, (str, int, type(None))):
        return x
    return {'python': type(x).__name__, 'str': str(x)}


def main():
    os.environ.clear()
    os.environ.update(ENV)
    print(json.dumps({'env': ENV, 'rest': REST}))
    for text in VALUES:
        line = {'yaml': text}
        try:
            line['want'] = plain(JAML.load('v: ' + text + '\n' + REST, substitute=True)['v'])
        except Exception as e:
            line['error'] = type(e).__name__
        print(json.dumps(line))


main()
