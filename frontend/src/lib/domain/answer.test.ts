import { expect, test } from 'vitest';
import { begin, heard, speed, summary } from './answer';

test('an answer is measured from its first token', () => {
  let m = begin(1000);
  expect(summary(m)).toBe('');
  m = heard(m, 1100, ''); // a role without text is no token
  expect(m.first).toBeNull();
  m = heard(m, 1212, 'Hel');
  m = heard(m, 3212, 'lo');
  expect(speed(m)).toBeNull(); // how many tokens is not known yet
  m = heard(m, 3300, '', 137);
  expect(speed(m)).toBe(68);
  expect(summary(m)).toBe('137 tokens · 68 tokens/s · first token after 212 ms');
});

test('one token has no speed', () => {
  const m = heard(heard(begin(0), 50, 'Yes'), 60, '', 1);
  expect(summary(m)).toBe('1 token · first token after 50 ms');
});
