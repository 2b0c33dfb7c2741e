import { describe, expect, it } from 'vitest';
import { parse, type Block, type Inline } from './markdown';

const p = (...parts: Inline[]): Block => ({ kind: 'paragraph', parts });
const t = (text: string): Inline => ({ kind: 'text', text });
const link = (href: string, text: string): Inline => ({ kind: 'link', href, parts: [t(text)] });

/** All text of a tree, and every address in it. */
function within(blocks: readonly unknown[]): { text: string; addresses: string[] } {
  let text = '';
  const addresses: string[] = [];
  JSON.stringify(blocks, (key, value: unknown) => {
    if (key === 'text') text += String(value);
    if (key === 'href') addresses.push(String(value));
    return value;
  });
  return { text, addresses };
}

describe('Markdown', () => {
  it('is read into its parts', () => {
    expect(parse('# Rivers\n\nThe **Rhine** and `x < y`,\nso *long*.')).toEqual([
      { kind: 'heading', depth: 1, parts: [t('Rivers')] },
      p(t('The '), { kind: 'strong', parts: [t('Rhine')] }, t(' and '), { kind: 'code', text: 'x < y' }, t(','), { kind: 'break' }, t('so '), { kind: 'em', parts: [t('long')] }, t('.')),
    ]);
    expect(parse('> said\n\n---')).toEqual([{ kind: 'quote', blocks: [p(t('said'))] }, { kind: 'rule' }]);
  });

  it('has code with its language, also while its end has not come yet', () => {
    expect(parse('```python title="x"\nprint("<b>")\n')).toEqual([{ kind: 'code', language: 'python', text: 'print("<b>")' }]);
    expect(parse('```\na & b &amp; c\n```')).toEqual([{ kind: 'code', language: '', text: 'a & b &amp; c' }]);
  });

  it('has lists, of things to do too, and tables', () => {
    expect(parse('3. a\n4. b\n   - c')).toEqual([
      { kind: 'list', start: 3, items: [{ done: null, blocks: [p(t('a'))] }, { done: null, blocks: [p(t('b')), { kind: 'list', start: null, items: [{ done: null, blocks: [p(t('c'))] }] }] }] },
    ]);
    expect(parse('- [x] a\n- [ ] b')).toEqual([{ kind: 'list', start: null, items: [{ done: true, blocks: [p(t('a'))] }, { done: false, blocks: [p(t('b'))] }] }]);
    expect(parse('| a | b |\n|---|---|\n| 1<br>2 | |')).toEqual([{ kind: 'table', head: [[t('a')], [t('b')]], rows: [[[t('1'), { kind: 'break' }, t('2')], []]] }]);
  });

  it('has characters by their names', () => {
    expect(parse('a &lt;b&gt; &amp; &#65;&#x42; &unknown; \\*')).toEqual([p(t('a <b> & AB &unknown; '), t('*'))]);
  });
});

describe('what could do harm', () => {
  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    'a <b onclick="alert(1)">b</b>',
    '<iframe src="https://example.com"></iframe>',
    '<svg/onload=alert(1)>',
    '<style>*{display:none}</style>',
    '<a href="javascript:alert(1)">x</a>',
  ])('stays the text that it is: %s', (html) => {
    const { text, addresses } = within(parse(html));
    expect(text).toBe(html);
    expect(addresses).toEqual([]);
  });

  it.each(['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', '/api/shutdown', '#settings', '//example.com', 'blob:x', 'wails://x'])('leads nowhere: %s', (href) => {
    for (const written of [`[x](${href})`, `![x](${href})`, `[x][1]\n\n[1]: ${href}`]) expect(within(parse(written)).addresses, written).toEqual([]);
  });

  it('leads to web pages and mailboxes, with the address as it is', () => {
    expect(parse('[x](https://example.com/a?b=1)')).toEqual([p(link('https://example.com/a?b=1', 'x'))]);
    expect(within(parse('See https://example.com/a and <mail@example.com>.')).addresses).toEqual(['https://example.com/a', 'mailto:mail@example.com']);
  });

  it('is no picture: that is a link, and nothing is fetched', () => {
    expect(parse('![a cat](https://example.com/c.png?q=secret)')).toEqual([p(link('https://example.com/c.png?q=secret', 'Image: a cat'))]);
  });

  it('may be nested as deep as it likes', () => {
    for (const deep of ['>'.repeat(3000) + ' x', '*'.repeat(2000) + 'x', '['.repeat(2000) + 'x', Array.from({ length: 200 }, (_, i) => `${' '.repeat(2 * i)}- x`).join('\n')]) {
      const depth = (block: unknown): number => (block && typeof block === 'object' ? 1 + Math.max(0, ...Object.values(block).map(depth)) : 0);
      expect(depth(parse(deep))).toBeLessThan(100);
    }
  });
});
