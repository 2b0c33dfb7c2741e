import { expect, test } from 'vitest';
import { EventParser, type ServerEvent } from './sse';

const parse = (...chunks: string[]): Omit<ServerEvent, 'id'>[] => {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => parser.push(chunk)).map(({ event, data }) => ({ event, data }));
};

test('one event', () => expect(parse('data: {"a":1}\n\n')).toEqual([{ event: 'message', data: '{"a":1}' }]));
test('a named event', () => expect(parse('event: error\ndata: x\n\n')).toEqual([{ event: 'error', data: 'x' }]));
test('data of several lines', () => expect(parse('data: a\ndata:b\n\n')).toEqual([{ event: 'message', data: 'a\nb' }]));
test('comments and unknown fields', () => expect(parse(': ping\nid: 3\nretry: 1\n\n')).toEqual([]));
test('an event that is cut off is none', () => expect(parse('data: a\n')).toEqual([]));
test('a name does not outlive its event', () =>
  expect(parse('event: error\n\ndata: a\n\n')).toEqual([{ event: 'message', data: 'a' }]));

const stream = ': hi\r\n\r\nevent: x\r\ndata: Grüße\r\ndata: 2\r\n\r\ndata: [DONE]\n\ndata: last\r\r';
const whole = [
  { event: 'x', data: 'Grüße\n2' },
  { event: 'message', data: '[DONE]' },
];

test('however the stream is cut, the events are the same', () => {
  for (let size = 1; size <= stream.length; size++) {
    const chunks = stream.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    const events = parse(...chunks);
    expect(events.slice(0, 2)).toEqual(whole);
  }
});

test('an id holds until the next one, and counts without data too', () => {
  const parser = new EventParser();
  parser.push('id: 7\nretry: 1000\n\n');
  expect(parser.lastId).toBe('7');
  const events = parser.push('id: 8\ndata: a\n\ndata: b\n\nid: 9\n');
  expect(events.map((e) => e.id)).toEqual(['8', '8']);
  expect(parser.lastId).toBe('8'); // the ninth is not complete
});
