"""Bar charts as SVG that are read on light and dark pages: colours follow the reader's scheme, nothing else is needed."""
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, TOP = 760, 290, 22, 8, 58
STYLE = '''<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 15px } .note { fill: #59636e; font-size: 12px }
.ours { fill: #0969da } .peer { fill: #8c959f } .raw { fill: #bf8700 } .axis { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .note { fill: #9198a1 } .ours { fill: #4493f8 } .peer { fill: #6e7681 }
.raw { fill: #d29922 } .axis { stroke: #3d444d } }
</style>'''


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def bars(title, note, rows):
    """rows are (label, value, 'ours' | 'peer' | 'raw', spread or None); a spread is (least, most) and drawn as a whisker"""
    most = max(max(value, spread[1] if spread else 0) for _, value, _, spread in rows) or 1
    room = WIDTH - LABEL - 90
    height = TOP + len(rows) * (BAR + GAP) + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
           f'aria-label="{escape(title, {chr(34): "&quot;"})}">', STYLE,
           f'<text class="title" x="8" y="22">{escape(title)}</text>', f'<text class="note" x="8" y="42">{escape(note)}</text>',
           f'<line class="axis" x1="{LABEL}" y1="{TOP - 6}" x2="{LABEL}" y2="{height - 6}"/>']
    for i, (label, value, kind, spread) in enumerate(rows):
        y = TOP + i * (BAR + GAP)
        length = max(room * value / most, 1)
        out.append(f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{escape(label)}</text>')
        out.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        end = length
        if spread and spread[1] > spread[0]:
            a, b = (LABEL + room * v / most for v in spread)
            out.append(f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y + BAR / 2}" y2="{y + BAR / 2}" style="stroke: currentColor" class="axis" stroke-width="2"/>')
            end = max(end, b - LABEL)
        out.append(f'<text x="{LABEL + end + 6:.1f}" y="{y + 16}">{number(value)}</text>')
    return '\n'.join(out + ['</svg>']) + '\n'
