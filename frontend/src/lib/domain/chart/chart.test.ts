import { describe, expect, it } from 'vitest';
import { lookOf, looks } from './chart';
import { isLine, shapePath } from './shape';

const drawn = (i: number, before = false) => {
  const { ink, shape, dash } = lookOf(i, before);
  return { ink, mark: `${shapePath(shape, 0, 0)} ${isLine(shape) ? 'open' : 'filled'}`, dash };
};

describe('twelve series', () => {
  const all = Array.from({ length: looks }, (_, i) => drawn(i));

  it('are told apart by their marks, and by their dashes, without any colour', () => {
    expect(looks).toBe(12);
    expect(new Set(all.map((l) => l.mark)).size).toBe(12);
    expect(new Set(all.map((l) => l.dash)).size).toBe(12);
  });

  it('have a colour in common with one other at most, and are drawn otherwise when they were before', () => {
    const before = all.map((_, i) => drawn(i, true));
    expect(new Set([...all, ...before].map((l) => JSON.stringify(l))).size).toBe(24);
    for (const { ink } of all) expect(all.filter((l) => l.ink === ink)).toHaveLength(2);
  });
});
