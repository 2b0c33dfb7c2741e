import { describe, expect, it } from 'vitest';
import { bodyOf, faultsOf, noOptions, numbers, optionAt, setOptions } from './options';

const options = (some: object) => ({ ...noOptions, ...some });

describe('what is sent', () => {
  it('is only what is set', () => {
    expect(bodyOf(noOptions)).toEqual({});
    expect(bodyOf(options({ temperature: '0', seed: ' 7 ', system: 'Be brief.' }))).toEqual({ temperature: 0, seed: 7 });
    expect(bodyOf(options({ temperature: '0,7', top_p: '.9', max_tokens: '64', frequency_penalty: '-1' }))).toEqual({ temperature: 0.7, top_p: 0.9, max_tokens: 64, frequency_penalty: -1 });
  });

  it('has a stop for each line, blanks included', () => {
    expect(bodyOf(options({ stop: '\n\nEND\n ' }))).toEqual({ stop: ['END', ' '] });
  });
});

describe('what is wrong', () => {
  it.each([
    ['temperature', 'warm', 'must be a number'],
    ['temperature', '0x1', 'must be a number'],
    ['temperature', '2.1', 'must be from 0 to 2'],
    ['top_p', '-0.1', 'must be from 0 to 1'],
    ['max_tokens', '0', 'must be from 1 to 10000000'],
    ['max_tokens', '1.5', 'must be a whole number'],
    ['seed', '-1', 'must be from 0 to 4294967295'],
    ['stop', 'a\nb\nc\nd\ne', 'may have four lines at most'],
  ])('is told of %s = %j', (name, text, fault) => {
    expect(faultsOf(options({ [name]: text }))).toEqual({ [name]: fault });
  });

  it('is nothing where nothing is set, nor at the limits', () => {
    expect(faultsOf(noOptions)).toEqual({});
    for (const { name, min, max } of numbers) for (const n of [min, max]) expect(faultsOf(options({ [name]: String(n) }))).toEqual({});
  });

  it('finds its field by where the server says that it is', () => {
    expect(optionAt('body.temperature')).toBe('temperature');
    expect(optionAt('stop[0]')).toBe('stop');
    expect(optionAt('body.messages[1].content')).toBeNull();
    expect(optionAt('system')).toBeNull();
    expect(optionAt('')).toBeNull();
  });
});

it('counts those that are set', () => {
  expect(setOptions(noOptions)).toBe(0);
  expect(setOptions(options({ system: 'Be brief.', seed: '0', stop: ' ' }))).toBe(2);
});
