import { describe, expect, it } from 'vitest';
import { figures, logTicks, named, scale, step, ticks, upTo } from './scale';

const plain = (n: number) => String(n);

describe('round figures', () => {
  it.each([
    [10, 5, 2],
    [9, 5, 2],
    [0.7, 4, 0.2],
    [1, 4, 0.25],
    [120, 5, 25],
    [0, 5, 1],
  ])('a span of %f in at most %i steps takes steps of %f', (span, most, by) => expect(step(span, most)).toBe(by));

  it('stand between the ends', () => {
    expect(ticks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks(0.9, 3.3, 3)).toEqual([1, 2, 3]);
    expect(ticks(0, 0.3, 3)).toEqual([0, 0.1, 0.2, 0.3]); // and not 0.30000000000000004
  });

  it('of a logarithmic axis become fewer where there is little room', () => {
    expect(logTicks(1, 100, 8)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(logTicks(1, 100, 5)).toEqual([1, 3, 10, 30, 100]);
    expect(logTicks(1, 100, 3)).toEqual([1, 10, 100]);
    expect(logTicks(0.01, 1000, 3)).toEqual([0.01, 1, 100]);
    expect(logTicks(2.1, 2.9, 4)).toEqual([2.1, 2.9]);
  });
});

describe('axes', () => {
  it('begin at nothing and end at a round figure', () => {
    expect(upTo(87, 'ms', plain)).toMatchObject({ from: 0, to: 100 });
    expect(upTo(100, 'ms', plain).to).toBe(100);
    expect(upTo(0, 'ms', plain).to).toBeGreaterThan(0);
  });

  it('place values', () => {
    const linear = scale(upTo(10, '', plain), 100, 200);
    expect([linear(0), linear(5), linear(10)]).toEqual([100, 150, 200]);
    const down = scale(upTo(10, '', plain), 200, 100);
    expect(down(10)).toBe(100);
    const log = scale({ kind: 'log', label: '', from: 1, to: 100, format: plain }, 0, 200);
    expect(log(10)).toBeCloseTo(100);
    const one = scale({ kind: 'linear', label: '', from: 3, to: 3, format: plain }, 0, 200);
    expect(one(3)).toBe(0);
  });

  it('give each name its share, and the last one its name', () => {
    const axis = named(['a', 'b', 'c', 'd'], 'run');
    const at = scale(axis, 0, 100);
    expect([at(0), at(3)]).toEqual([12.5, 87.5]);
    expect(figures(axis, 2).map(axis.format)).toEqual(['b', 'd']);
    expect(figures(axis, 9).map(axis.format)).toEqual(['a', 'b', 'c', 'd']);
  });
});
