import { describe, expect, it } from 'vitest';
import { isNewestFirst, newestFirst, orderFrom, pressed, withOrder, type Order } from './order';

const read = (text: string) => orderFrom(new URLSearchParams(text));

describe('the order in the address', () => {
  it.each<Order>([
    newestFirst,
    { sort: 'started_at', order: 'asc' },
    { sort: 'model', order: 'asc' },
    { sort: 'model', order: 'desc' },
    { sort: 'backend', order: 'desc' },
    { sort: 'endpoint', order: 'asc' },
    { sort: 'duration_ms', order: 'desc' },
    { sort: 'total_tokens', order: 'asc' },
  ])('comes back as it was', (order) => expect(orderFrom(withOrder(new URLSearchParams('model=a'), order))).toEqual(order));

  it('is left out where it is the usual one', () => {
    expect(withOrder(new URLSearchParams('model=a'), newestFirst).toString()).toBe('model=a');
    expect(withOrder(new URLSearchParams(), { sort: 'model', order: 'asc' }).toString()).toBe('sort=model');
  });

  it.each(['', 'sort=client', 'order=up', 'sort=id;drop&order='])('is newest first for "%s"', (text) => expect(isNewestFirst(read(text))).toBe(true));
});

it('turns round when the same head is pressed, and begins as people expect for another', () => {
  const slowest = pressed(newestFirst, 'duration_ms');
  expect(slowest).toEqual({ sort: 'duration_ms', order: 'desc' });
  expect(pressed(slowest, 'duration_ms')).toEqual({ sort: 'duration_ms', order: 'asc' });
  for (const names of ['model', 'backend', 'endpoint'] as const) expect(pressed(slowest, names)).toEqual({ sort: names, order: 'asc' });
});
