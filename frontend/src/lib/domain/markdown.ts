// Markdown as a tree of plain parts. What a model writes is never made HTML of: a page draws these parts itself, so
// whatever tags stand in an answer are text, and nothing of it can run or be fetched.
import { Marked, type MarkedToken, type Token, type Tokens } from 'marked';

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong'; parts: Inline[] }
  | { kind: 'em'; parts: Inline[] }
  | { kind: 'del'; parts: Inline[] }
  | { kind: 'link'; href: string; parts: Inline[] }
  | { kind: 'break' };

export type Block =
  | { kind: 'paragraph'; parts: Inline[] }
  | { kind: 'heading'; depth: number; parts: Inline[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; start: number | null; items: { done: boolean | null; blocks: Block[] }[] }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' };

const deepest = 12; // what is nested deeper is shown as it was written

const marked = new Marked({ gfm: true, breaks: true });

/** What cannot be read as Markdown is a paragraph of plain text. */
export function parse(text: string): Block[] {
  try {
    return blocksOf(marked.lexer(text), 0);
  } catch {
    return [{ kind: 'paragraph', parts: [{ kind: 'text', text }] }];
  }
}

const blocksOf = (tokens: readonly Token[], depth: number): Block[] => tokens.flatMap((token) => blockOf(token as MarkedToken, depth));

function blockOf(token: MarkedToken, depth: number): Block[] {
  if (depth > deepest) return plain(token.raw);
  switch (token.type) {
    case 'space':
    case 'def':
      return [];
    case 'hr':
      return [{ kind: 'rule' }];
    case 'heading':
      return [{ kind: 'heading', depth: token.depth, parts: inlineOf(token.tokens, depth) }];
    case 'code':
      return [{ kind: 'code', language: /^[\w+#.-]{1,30}/.exec(token.lang ?? '')?.[0] ?? '', text: token.text }];
    case 'blockquote':
      return [{ kind: 'quote', blocks: blocksOf(token.tokens, depth + 1) }];
    case 'list':
      return [listOf(token, depth)];
    case 'table':
      return [{ kind: 'table', head: token.header.map((cell) => inlineOf(cell.tokens, depth)), rows: token.rows.map((row) => row.map((cell) => inlineOf(cell.tokens, depth))) }];
    case 'paragraph':
      return [{ kind: 'paragraph', parts: inlineOf(token.tokens, depth) }];
    case 'text': // the words of an item of a list
      return [{ kind: 'paragraph', parts: token.tokens ? inlineOf(token.tokens, depth) : [{ kind: 'text', text: decoded(token.text) }] }];
    default: // HTML among others
      return plain(token.raw);
  }
}

function plain(raw: string): Block[] {
  const text = raw.trim();
  return text === '' ? [] : [{ kind: 'paragraph', parts: [{ kind: 'text', text }] }];
}

function listOf(token: Tokens.List, depth: number): Block {
  return {
    kind: 'list',
    start: token.ordered ? Number(token.start) || 0 : null,
    items: token.items.map((item) => ({
      done: item.task ? item.checked === true : null,
      blocks: blocksOf(item.tokens.filter((t) => t.type !== 'checkbox'), depth + 1),
    })),
  };
}

function inlineOf(tokens: readonly Token[] | undefined, depth: number): Inline[] {
  return (tokens ?? []).flatMap((token) => partOf(token as MarkedToken, depth + 1));
}

function partOf(token: MarkedToken, depth: number): Inline[] {
  const text = (written: string): Inline[] => (written === '' ? [] : [{ kind: 'text', text: written }]);
  if (depth > deepest) return text(token.raw);
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, parts: inlineOf(token.tokens, depth) }];
    case 'codespan':
      return [{ kind: 'code', text: token.text }];
    case 'br':
      return [{ kind: 'break' }];
    case 'link': {
      const parts = inlineOf(token.tokens, depth);
      return leads(token.href) ? [{ kind: 'link', href: token.href, parts }] : [...parts, ...text(` (${token.href})`)];
    }
    case 'image': // never fetched by itself: whoever wants to see it follows the link
      return leads(token.href) ? [{ kind: 'link', href: token.href, parts: text(`Image: ${token.text || token.href}`) }] : text(token.raw);
    case 'text':
      return token.tokens ? inlineOf(token.tokens, depth) : text(decoded(token.text));
    case 'escape':
      return text(decoded(token.text));
    case 'html':
      return /^<br\s*\/?>$/i.test(token.raw.trim()) ? [{ kind: 'break' }] : text(token.raw);
    case 'checkbox':
      return [];
    default:
      return text(token.raw);
  }
}

/** Whether an address may be followed: to a web page or a mailbox, and to nothing that runs. */
function leads(href: string): boolean {
  try {
    return ['http:', 'https:', 'mailto:'].includes(new URL(href).protocol);
  } catch {
    return false;
  }
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/** The characters that Markdown takes over from HTML. */
function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,5}));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return named[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
