// A chart as a file of its own: an SVG with title, legend and colours in it, so that it looks the same anywhere.
import { legend, lookOf, type Chart, type Ink } from './chart';
import { layout } from './layout';
import { fontSize, textWidth, type Mark } from './marks';
import { rowsHeight } from './rows';
import { isLine, shapePath } from './shape';

export interface Picture {
  svg: string;
  width: number;
  height: number;
}

const margin = 20;
const font = "-apple-system, 'Segoe UI', Inter, 'Noto Sans', sans-serif";

/** Characters that XML 1.0 has no way to write are left out. */
const escaped = (text: string): string =>
  text
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** Draws a chart for a file. source says what it was measured on, and stands at its foot. */
export function picture(chart: Chart, colour: (ink: Ink) => string, source: string, width = 760): Picture {
  const inner = width - 2 * margin;
  const keys = legendMarks(chart, inner);
  const body = layout(chart, inner, chart.kind === 'rows' ? rowsHeight(chart) : 300);
  const top = margin + 40 + (keys.marks.length > 0 ? keys.height : 0);
  const height = top + body.height + 16 + margin;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${font}" font-size="${fontSize}">`,
    `<title>${escaped(chart.title)}</title>`,
    `<desc>${escaped([chart.note, source].filter(Boolean).join('. '))}</desc>`,
    `<rect width="${width}" height="${height}" fill="${colour('panel')}"/>`,
    `<text x="${margin}" y="${margin + 12}" font-size="15" font-weight="600" fill="${colour('text')}">${escaped(chart.title)}</text>`,
    `<text x="${margin}" y="${margin + 29}" fill="${colour('muted')}">${escaped(chart.note)}</text>`,
    `<g transform="translate(${margin} ${margin + 40})">${keys.marks.map((m) => drawn(m, colour)).join('')}</g>`,
    `<g transform="translate(${margin} ${top})">${body.marks.map((m) => drawn(m, colour)).join('')}</g>`,
    `<text x="${margin}" y="${height - margin + 6}" fill="${colour('muted')}">${escaped(source)}</text>`,
    '</svg>',
  ];
  return { svg: parts.join('\n'), width, height };
}

/** Keys side by side, in as many lines as they need. */
function legendMarks(chart: Chart, width: number): { marks: Mark[]; height: number } {
  const marks: Mark[] = [];
  let [x, y] = [0, 12];
  for (const { name: plain, look, before } of chart.kind === 'xy' ? legend(chart) : []) {
    const name = before ? `${plain} (before)` : plain;
    const { ink, shape, dash } = lookOf(look, before);
    const room = 34 + textWidth(name) + 16;
    if (x > 0 && x + room > width) [x, y] = [0, y + 18];
    marks.push({ kind: 'path', d: `M${x} ${y}H${x + 24}`, ink, width: 1.5, ...(dash ? { dash } : {}) });
    marks.push({ kind: 'dot', x: x + 12, y, shape, ink });
    marks.push({ kind: 'text', x: x + 32, y: y + 4, text: name, anchor: 'start', ink: 'text' });
    x += room;
  }
  return { marks, height: y + 12 };
}

function drawn(mark: Mark, colour: (ink: Ink) => string): string {
  const ink = colour(mark.ink);
  switch (mark.kind) {
    case 'path':
      return `<path d="${mark.d}" fill="none" stroke="${ink}" stroke-width="${mark.width}"${mark.dash ? ` stroke-dasharray="${mark.dash}"` : ''}${mark.opacity === undefined ? '' : ` stroke-opacity="${mark.opacity}"`}/>`;
    case 'area':
      return `<path d="${mark.d}" fill="${ink}" fill-opacity="${mark.opacity}"/>`;
    case 'dot':
      return `<path d="${shapePath(mark.shape, mark.x, mark.y)}" fill="${isLine(mark.shape) ? colour('panel') : ink}" stroke="${ink}" stroke-width="1.5"/>`;
    case 'text':
      return `<text x="${mark.x}" y="${mark.y}" text-anchor="${mark.anchor}" fill="${ink}"${mark.strong ? ' font-weight="600"' : ''}>${escaped(mark.text)}</text>`;
  }
}
